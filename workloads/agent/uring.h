/* SPDX-License-Identifier: MIT */
/*
 * io_uring by its system calls alone, because the agent is static and small: requests to one file, and their
 * completions, of one thread.
 */
#ifndef WORKLOADS_AGENT_URING_H
#define WORKLOADS_AGENT_URING_H

#include <linux/io_uring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uring {
	int fd;
	unsigned entries, sq_tail, to_submit;
	unsigned *sq_ktail, *sq_array, sq_mask;
	unsigned *cq_khead, *cq_ktail, cq_mask;
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	void *rings;
	size_t rings_len, sqes_len;
};

/* Room for so many at a time: 0 or -errno. */
int uring_open(struct uring *u, unsigned entries);
void uring_close(struct uring *u);
/* A zeroed entry; never more than entries between two calls of uring_enter. */
struct io_uring_sqe *uring_next(struct uring *u);
/*
 * Hand over what uring_next gave; with wait, sleep until something has ended or the clock (CLOCK_MONOTONIC)
 * shows until_ns. 0 or -errno.
 */
int uring_enter(struct uring *u, bool wait, uint64_t until_ns);
/* Something that has ended, to be gone with uring_seen, or NULL. */
const struct io_uring_cqe *uring_peek(const struct uring *u);
void uring_seen(struct uring *u);

#endif
