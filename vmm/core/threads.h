/* SPDX-License-Identifier: MIT */
/*
 * The threads of a program: none of them runs before the program has opened what it needs and given up what
 * it does not, because privileges, namespaces and Landlock belong to a thread and are inherited by those that
 * it makes.
 */
#ifndef VMM_CORE_THREADS_H
#define VMM_CORE_THREADS_H

#include <stdbool.h>

enum thread_kind {
	THREAD_MAIN,    /* waits for the end */
	THREAD_VCPU,
	THREAD_IO,      /* moves data: a queue pair, a disk, a serial port */
	THREAD_CONTROL, /* does for a vCPU what needs system calls that a vCPU is not given */
	THREAD_KINDS
};

struct evloop;

struct threads {
	/* Called first on each new thread: what this kind of thread may do from now on. NULL: everything. */
	void (*begin)(void *arg, enum thread_kind kind);
	void *arg;
	bool started;
	struct evloop *waiting; /* loops that were made and have no thread yet */
};

/* Give every loop its thread; those made later get theirs at once. 0 or -errno (logged). */
int threads_start(struct threads *t);

#endif
