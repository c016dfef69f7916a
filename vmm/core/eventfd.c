// SPDX-License-Identifier: MIT
#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vmm/core/eventfd.h"

void eventfd_signal_own(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) < 0) {
		/* A full counter: it is signalled already. */
	}
}

void eventfd_signal(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	if (poll(&p, 1, 0) == 1)
		eventfd_signal_own(fd);
}

uint64_t eventfd_drain(int fd)
{
	uint64_t n = 0;
	struct iovec iov = {&n, sizeof(n)};

	/* Of this call alone, whatever the file's flags are. */
	return preadv2(fd, &iov, 1, -1, RWF_NOWAIT) == sizeof(n) ? n : 0;
}
