/* SPDX-License-Identifier: MIT */
/*
 * What a thread may still ask of the kernel, put together call by call. A call that is not in its filter
 * ends the process, with a line that names the thread and the call.
 *
 *      begin, allow ..., install: for good, on this thread and those that it starts
 */
#ifndef BASE_CALL_FILTER_H
#define BASE_CALL_FILTER_H

#include <linux/filter.h>
#include "base/util.h"

#define CALL_FILTER_MAX 256

struct call_filter {
	struct sock_filter code[CALL_FILTER_MAX];
	unsigned short n;
	uint32_t calls[CALL_FILTER_MAX / 2]; /* with any argument: they become code at the end */
	size_t n_calls;
};

void call_filter_begin(struct call_filter *f);
void call_filter_allow(struct call_filter *f, uint32_t call);
/*
 * When the argument of that index (its lower half) is one of these: an ioctl's request, a socket's type. Once
 * a call.
 */
void call_filter_allow_with(struct call_filter *f, uint32_t call, unsigned arg, const uint32_t *values,
			    size_t n);
/* The rest of the code. For call_filter_install, and for who only looks at it. */
void call_filter_end(struct call_filter *f);
/* who makes the call in that line: "a vCPU"; it outlives the thread. 0 or -errno. */
int call_filter_install(struct call_filter *f, const char *who);

#endif
