// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "vmm/block/io_thread.h"
#include "vmm/core/eventfd.h"
#include "vmm/core/evloop.h"
#include "vmm/core/vm.h"

#define WATCHES 20
/* Then the loop looks at its calls: who resets the device waits for them. */
#define TURN_NS (500 * NSEC_PER_USEC)

struct watch {
	int fd; /* -1: free */
	uint64_t *counter;
};

struct io_thread {
	struct evloop *loop;
	const struct io_thread_ops *ops;
	void *arg;
	uint64_t poll_ns;   /* most that it may look for work */
	uint64_t window_ns; /* that it looks now */
	uint64_t quiet_since;
	bool slept;
	struct watch watch[WATCHES];
};

static void on_fd(void *arg, uint32_t events)
{
	struct watch *w = arg;

	(void)events;
	if (w->counter)
		stats_count(w->counter, eventfd_drain(w->fd));
}

/* The pause is over. */
static void adapt_window(struct io_thread *t, uint64_t now)
{
	uint64_t pause = now - t->quiet_since;

	t->window_ns = 0;
	if (pause <= t->poll_ns)
		t->window_ns = MIN(2 * pause, t->poll_ns);
	t->quiet_since = now;
	t->slept = false;
}

/* Before each sleep of the loop. */
static int64_t serve_round(void *arg)
{
	struct io_thread *t = arg;
	uint64_t now = clock_ns(), end = now + TURN_NS;

	if (t->slept)
		adapt_window(t, now);
	while (now < end) {
		bool worked = t->ops->serve(t->arg);

		now = clock_ns();
		if (worked) {
			t->quiet_since = now;
		} else if (now - t->quiet_since < t->window_ns) {
			__builtin_ia32_pause();
		} else if (!t->ops->arm(t->arg)) {
			t->slept = true;
			return EVLOOP_FOREVER;
		}
	}
	return 0;
}

int io_thread_create(struct io_thread **out, struct threads *threads, const char *name, uint64_t poll_ns,
		     const struct io_thread_ops *ops, void *arg)
{
	struct io_thread *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	t->ops = ops;
	t->arg = arg;
	t->poll_ns = poll_ns;
	for (unsigned i = 0; i < WATCHES; i++)
		t->watch[i].fd = -1;
	err = evloop_create(&t->loop, threads, THREAD_IO, name);
	if (err) {
		free(t);
		return err;
	}
	evloop_set_poll(t->loop, serve_round, t);
	*out = t;
	return 0;
}

void io_thread_destroy(struct io_thread *t)
{
	if (!t)
		return;
	evloop_destroy(t->loop);
	free(t);
}

static struct watch *watch_of(struct io_thread *t, int fd)
{
	for (unsigned i = 0; i < WATCHES; i++)
		if (t->watch[i].fd == fd)
			return &t->watch[i];
	return NULL;
}

int io_thread_watch(struct io_thread *t, int fd, uint64_t *counter)
{
	struct watch *w = watch_of(t, -1);
	int err;

	if (!w)
		return -ENOSPC;
	*w = (struct watch){fd, counter};
	err = evloop_add(t->loop, fd, EPOLLIN | EPOLLET, on_fd, w);
	if (err)
		w->fd = -1;
	return err;
}

void io_thread_unwatch(struct io_thread *t, int fd)
{
	struct watch *w = watch_of(t, fd);

	if (!w)
		return;
	evloop_del(t->loop, fd);
	w->fd = -1;
}

void io_thread_call(struct io_thread *t, void (*fn)(void *arg), void *arg)
{
	evloop_call(t->loop, fn, arg);
}
