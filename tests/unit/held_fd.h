/* SPDX-License-Identifier: MIT */
/*
 * What the other holder of an eventfd can do to it: O_NONBLOCK cleared (it belongs to the open file), the
 * counter full or empty. A call of ours that waits for it ends the test after 20 s, by SIGALRM.
 */
#ifndef TESTS_UNIT_HELD_FD_H
#define TESTS_UNIT_HELD_FD_H

#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <unistd.h>

/* cmocka comes first in the file that includes this. */
static inline void held_empty(int fd)
{
	struct pollfd p = {fd, POLLIN, 0};
	uint64_t n;

	alarm(20);
	if (poll(&p, 1, 0) == 1)
		assert_int_equal(read(fd, &n, sizeof(n)), sizeof(n));
	assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK), 0);
}

static inline void held_full(int fd)
{
	uint64_t most = UINT64_MAX - 1;

	held_empty(fd);
	assert_int_equal(write(fd, &most, sizeof(most)), sizeof(most));
}

#endif
