/* SPDX-License-Identifier: MIT */
/* An event loop that stands still for as long as a test wants. */
#ifndef TESTS_UNIT_HELD_LOOP_H
#define TESTS_UNIT_HELD_LOOP_H

#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/core/evloop.h"

struct held_loop {
	int begun, go;
};

static inline void hold_here(void *arg)
{
	struct held_loop *h = arg;
	uint64_t n = 1;

	if (write(h->begun, &n, sizeof(n)) < 0 || read(h->go, &n, sizeof(n)) < 0)
		_exit(1);
}

/* Returns once nothing else runs on the loop. */
static inline void loop_hold(struct held_loop *h, struct evloop *l)
{
	uint64_t n;

	*h = (struct held_loop){eventfd(0, EFD_CLOEXEC), eventfd(0, EFD_CLOEXEC)};
	evloop_post(l, hold_here, h);
	if (read(h->begun, &n, sizeof(n)) < 0)
		_exit(1);
}

static inline void loop_release(struct held_loop *h)
{
	uint64_t one = 1;

	if (write(h->go, &one, sizeof(one)) < 0)
		_exit(1);
}

static inline void loop_forget(struct held_loop *h)
{
	close(h->begun);
	close(h->go);
}

#endif
