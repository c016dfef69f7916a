// SPDX-License-Identifier: MIT
#include <string.h>

#include "base/util.h"
#include "vmm/virtq/iov.h"

size_t iov_gather(const struct iovec *iov, unsigned n, size_t off, void *buf, size_t len)
{
	size_t done = 0;

	for (unsigned i = 0; i < n && done < len; i++) {
		size_t part;

		if (off >= iov[i].iov_len) {
			off -= iov[i].iov_len;
			continue;
		}
		part = MIN(iov[i].iov_len - off, len - done);
		memcpy((char *)buf + done, (const char *)iov[i].iov_base + off, part);
		done += part;
		off = 0;
	}
	return done;
}

size_t iov_scatter(const struct iovec *iov, unsigned n, size_t off, const void *buf, size_t len)
{
	size_t done = 0;

	for (unsigned i = 0; i < n && done < len; i++) {
		size_t part;

		if (off >= iov[i].iov_len) {
			off -= iov[i].iov_len;
			continue;
		}
		part = MIN(iov[i].iov_len - off, len - done);
		memcpy((char *)iov[i].iov_base + off, (const char *)buf + done, part);
		done += part;
		off = 0;
	}
	return done;
}
