// SPDX-License-Identifier: MIT
#include <string.h>

#include "base/util.h"
#include "vmm/virtq/iov.h"

/* Between the pieces from off on and buf; one loop for each direction comes of it, as to is known there. */
static inline __attribute__((always_inline)) size_t iov_copy(const struct iovec *iov, unsigned n, size_t off,
							     char *buf, size_t len, bool to_iov)
{
	size_t done = 0;

	for (unsigned i = 0; i < n && done < len; i++) {
		size_t part;

		if (off >= iov[i].iov_len) {
			off -= iov[i].iov_len;
			continue;
		}
		part = MIN(iov[i].iov_len - off, len - done);
		if (to_iov)
			memcpy((char *)iov[i].iov_base + off, buf + done, part);
		else
			memcpy(buf + done, (const char *)iov[i].iov_base + off, part);
		done += part;
		off = 0;
	}
	return done;
}

size_t iov_gather(const struct iovec *iov, unsigned n, size_t off, void *buf, size_t len)
{
	return iov_copy(iov, n, off, buf, len, false);
}

size_t iov_scatter(const struct iovec *iov, unsigned n, size_t off, const void *buf, size_t len)
{
	return iov_copy(iov, n, off, (char *)buf, len, true);
}
