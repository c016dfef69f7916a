/* SPDX-License-Identifier: MIT */
/*
 * The thread that serves a device's rings and its disk queue. It sleeps on eventfds (kicks,
 * completions); before it does, it looks for more work as long as that has paid lately: a kick that
 * comes while it looks costs no exit, and nobody needs to be woken.
 *
 * How long it looks adapts itself: twice as long as the last pause between two pieces of work, if
 * that is not more than poll_ns; else it does not look at all until pauses have become short again.
 */
#ifndef VMM_BLOCK_IO_THREAD_H
#define VMM_BLOCK_IO_THREAD_H

#include "base/util.h"

struct io_thread;

/* Both on the thread, and never at the same time. */
struct io_thread_ops {
	/* Do what can be done without waiting. True: there was something. */
	bool (*serve)(void *arg);
	/*
	 * About to sleep: ask for kicks. True: something has come meanwhile, and no kick will tell.
	 */
	bool (*arm)(void *arg);
};

/* name: 15 characters at most. 0 or -errno (logged). */
struct threads;
int io_thread_create(struct io_thread **out, struct threads *threads, const char *name, uint64_t poll_ns,
		     const struct io_thread_ops *ops, void *arg);
void io_thread_destroy(struct io_thread *t);
/*
 * Wake up each time fd becomes readable. counter: it is an eventfd, to be read empty, and what it
 * held is added there; NULL: it need not be read. 0 or -errno.
 */
int io_thread_watch(struct io_thread *t, int fd, uint64_t *counter);
void io_thread_unwatch(struct io_thread *t, int fd);
/* Run fn on the thread and wait for it. */
void io_thread_call(struct io_thread *t, void (*fn)(void *arg), void *arg);

#endif
