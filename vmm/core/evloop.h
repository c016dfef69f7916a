/* SPDX-License-Identifier: MIT */
/* An event loop in a thread of its own (epoll): queue pairs, consoles and timers live on one. */
#ifndef VMM_CORE_EVLOOP_H
#define VMM_CORE_EVLOOP_H

#include "base/util.h"
#include "vmm/core/threads.h"

typedef void (*evloop_fn)(void *arg, uint32_t epoll_events);

/*
 * Thread named name (15 characters at most: it shows in top and in the CPU probe), one of threads: it runs
 * once threads_start was called. Until then whoever calls evloop_call does the work himself.
 */
int evloop_create(struct evloop **out, struct threads *threads, enum thread_kind kind, const char *name);
/* Stops the thread, joins it, frees. */
void evloop_destroy(struct evloop *l);
int evloop_add(struct evloop *l, int fd, uint32_t epoll_events, evloop_fn fn, void *arg);
int evloop_mod(struct evloop *l, int fd, uint32_t epoll_events);
/* After return the callback runs no more (synchronous, from any thread incl. the loop's own). */
void evloop_del(struct evloop *l, int fd);
/* Run fn on the loop's thread and wait for it (runs at once when called there). */
void evloop_call(struct evloop *l, void (*fn)(void *arg), void *arg);
/*
 * The same without waiting; dropped when memory is out or the loop is being destroyed. Each call waits in
 * memory of its own: what a guest can repeat is posted once until it has begun.
 */
void evloop_post(struct evloop *l, void (*fn)(void *arg), void *arg);
/* Called each round before the loop sleeps; returns how long it may, in ns: 0 to be called again at
 * once (busy polling), EVLOOP_FOREVER until the next event. */
#define EVLOOP_FOREVER (-1)
void evloop_set_poll(struct evloop *l, int64_t (*fn)(void *arg), void *arg);

#endif
