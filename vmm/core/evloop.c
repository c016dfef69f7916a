// SPDX-License-Identifier: MIT
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "vmm/core/eventfd.h"
#include "vmm/core/evloop.h"

#define EVENTS_A_ROUND 16

struct handler {
	struct handler *next;
	int fd;
	bool dead; /* deleted: it is not called again, and freed between rounds */
	evloop_fn fn;
	void *arg;
};

struct call {
	struct call *next;
	void (*fn)(void *arg);
	void *arg;
	bool posted; /* nobody waits for it, so it is freed when it has run */
	bool done;
};

struct evloop {
	struct threads *threads;
	enum thread_kind kind;
	struct evloop *next_waiting;
	bool running; /* it has its thread */
	pthread_t thread;
	char name[16];
	int epfd, wakefd;
	bool stop;
	int64_t (*poll)(void *arg);
	void *poll_arg;
	pthread_mutex_t lock; /* the fields below */
	pthread_cond_t done;
	struct handler *handlers;
	struct call *calls;
};

static bool on_loop(const struct evloop *l)
{
	return !l->running || pthread_equal(pthread_self(), l->thread);
}

static void run_calls(struct evloop *l)
{
	struct call *c;

	pthread_mutex_lock(&l->lock);
	while ((c = l->calls)) {
		l->calls = c->next;
		pthread_mutex_unlock(&l->lock);
		c->fn(c->arg);
		pthread_mutex_lock(&l->lock);
		c->done = true;
		if (c->posted)
			free(c);
		else
			pthread_cond_broadcast(&l->done);
	}
	pthread_mutex_unlock(&l->lock);
}

static void free_dead(struct evloop *l)
{
	pthread_mutex_lock(&l->lock);
	for (struct handler **at = &l->handlers; *at;) {
		struct handler *h = *at;

		if (h->dead) {
			*at = h->next;
			free(h);
		} else {
			at = &h->next;
		}
	}
	pthread_mutex_unlock(&l->lock);
}

static void dispatch_events(struct evloop *l, const struct epoll_event *ev, int n)
{
	for (int i = 0; i < n; i++) {
		struct handler *h = ev[i].data.ptr;
		uint64_t count;

		if (h) {
			if (!__atomic_load_n(&h->dead, __ATOMIC_ACQUIRE))
				h->fn(h->arg, ev[i].events);
		} else if (read(l->wakefd, &count, sizeof(count)) < 0) {
			/* Nobody but this thread reads the counter: a failure leaves nothing to do. */
		}
	}
}

static int wait_events(struct evloop *l, struct epoll_event *ev, int64_t ns)
{
	struct timespec ts = {(time_t)(ns / (int64_t)NSEC_PER_SEC), (long)(ns % (int64_t)NSEC_PER_SEC)};

	if (ns <= 0)
		return epoll_wait(l->epfd, ev, EVENTS_A_ROUND, ns ? -1 : 0);
	return epoll_pwait2(l->epfd, ev, EVENTS_A_ROUND, &ts, NULL);
}

static void *loop_main(void *arg)
{
	struct epoll_event ev[EVENTS_A_ROUND];
	struct evloop *l = arg;

	pthread_setname_np(pthread_self(), l->name);
	if (l->threads->begin)
		l->threads->begin(l->threads->arg, l->kind);
	while (!__atomic_load_n(&l->stop, __ATOMIC_ACQUIRE)) {
		int64_t (*poll)(void *) = __atomic_load_n(&l->poll, __ATOMIC_ACQUIRE);
		int n = wait_events(l, ev, poll ? poll(l->poll_arg) : EVLOOP_FOREVER);

		dispatch_events(l, ev, n);
		run_calls(l);
		if (n > 0)
			free_dead(l);
	}
	run_calls(l);
	return NULL;
}

static int loop_start(struct evloop *l)
{
	int err;

	l->running = true;
	err = -pthread_create(&l->thread, NULL, loop_main, l);
	if (err) {
		l->running = false;
		log_error("event loop %s: thread: %s", l->name, strerror(-err));
	}
	return err;
}

int threads_start(struct threads *t)
{
	int err = 0;

	t->started = true;
	while (t->waiting && !err) {
		struct evloop *l = t->waiting;

		t->waiting = l->next_waiting;
		err = loop_start(l);
	}
	return err;
}

static void loop_free(struct evloop *l)
{
	close_fd(&l->epfd);
	close_fd(&l->wakefd);
	pthread_cond_destroy(&l->done);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

int evloop_create(struct evloop **out, struct threads *threads, enum thread_kind kind, const char *name)
{
	struct epoll_event ev = {.events = EPOLLIN};
	struct evloop *l = calloc(1, sizeof(*l));
	int err = 0;

	if (!l)
		return -ENOMEM;
	l->threads = threads;
	l->kind = kind;
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->done, NULL);
	strncpy(l->name, name, sizeof(l->name) - 1);
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	l->wakefd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->epfd < 0 || l->wakefd < 0 || epoll_ctl(l->epfd, EPOLL_CTL_ADD, l->wakefd, &ev) < 0) {
		err = -errno;
		log_error("event loop %s: %s", name, strerror(-err));
	} else if (threads->started) {
		err = loop_start(l);
	} else {
		struct evloop **at = &threads->waiting;

		while (*at)
			at = &(*at)->next_waiting;
		*at = l;
	}
	if (err) {
		loop_free(l);
		return err;
	}
	*out = l;
	return 0;
}

void evloop_destroy(struct evloop *l)
{
	if (!l)
		return;
	if (l->running) {
		__atomic_store_n(&l->stop, true, __ATOMIC_RELEASE);
		eventfd_signal_own(l->wakefd);
		pthread_join(l->thread, NULL);
	}
	run_calls(l);
	for (struct evloop **at = &l->threads->waiting; *at; at = &(*at)->next_waiting) {
		if (*at == l) {
			*at = l->next_waiting;
			break;
		}
	}
	while (l->handlers) {
		struct handler *h = l->handlers;

		l->handlers = h->next;
		free(h);
	}
	loop_free(l);
}

static struct handler *handler_find(struct evloop *l, int fd)
{
	struct handler *h = l->handlers;

	while (h && (h->fd != fd || h->dead))
		h = h->next;
	return h;
}

int evloop_add(struct evloop *l, int fd, uint32_t epoll_events, evloop_fn fn, void *arg)
{
	struct handler *h = calloc(1, sizeof(*h));
	struct epoll_event ev = {.events = epoll_events, .data.ptr = h};
	int err = 0;

	if (!h)
		return -ENOMEM;
	h->fd = fd;
	h->fn = fn;
	h->arg = arg;
	pthread_mutex_lock(&l->lock);
	if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev) < 0) {
		err = -errno;
		free(h);
	} else {
		h->next = l->handlers;
		l->handlers = h;
	}
	pthread_mutex_unlock(&l->lock);
	return err;
}

int evloop_mod(struct evloop *l, int fd, uint32_t epoll_events)
{
	struct epoll_event ev = {.events = epoll_events};
	int err = -ENOENT;

	pthread_mutex_lock(&l->lock);
	ev.data.ptr = handler_find(l, fd);
	if (ev.data.ptr)
		err = 0;
	if (!err && epoll_ctl(l->epfd, EPOLL_CTL_MOD, fd, &ev) < 0)
		err = -errno;
	pthread_mutex_unlock(&l->lock);
	return err;
}

static void do_nothing(void *arg)
{
	(void)arg;
}

void evloop_del(struct evloop *l, int fd)
{
	struct handler *h;

	pthread_mutex_lock(&l->lock);
	h = handler_find(l, fd);
	if (h) {
		epoll_ctl(l->epfd, EPOLL_CTL_DEL, fd, NULL);
		__atomic_store_n(&h->dead, true, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&l->lock);
	/* A call runs between rounds: once it has, no callback of this fd is under way. */
	if (h)
		evloop_call(l, do_nothing, NULL);
}

/* Under l->lock. */
static void enqueue_call(struct evloop *l, struct call *c)
{
	struct call **at = &l->calls;

	while (*at)
		at = &(*at)->next;
	*at = c;
	eventfd_signal_own(l->wakefd);
}

void evloop_post(struct evloop *l, void (*fn)(void *arg), void *arg)
{
	struct call *c = calloc(1, sizeof(*c));

	if (!c)
		return;
	*c = (struct call){.fn = fn, .arg = arg, .posted = true};
	pthread_mutex_lock(&l->lock);
	enqueue_call(l, c);
	pthread_mutex_unlock(&l->lock);
}

void evloop_call(struct evloop *l, void (*fn)(void *arg), void *arg)
{
	struct call c = {.fn = fn, .arg = arg};

	if (on_loop(l)) {
		fn(arg);
		return;
	}
	pthread_mutex_lock(&l->lock);
	enqueue_call(l, &c);
	while (!c.done)
		pthread_cond_wait(&l->done, &l->lock);
	pthread_mutex_unlock(&l->lock);
}

static void set_poll(void *arg)
{
	struct evloop *l = ((void **)arg)[0];

	l->poll_arg = ((void **)arg)[2];
	l->poll = (int64_t(*)(void *))((void **)arg)[1];
}

void evloop_set_poll(struct evloop *l, int64_t (*fn)(void *arg), void *arg)
{
	void *args[] = {l, (void *)fn, arg};

	/* On the loop's own thread: function and argument always change together. */
	evloop_call(l, set_poll, args);
}
