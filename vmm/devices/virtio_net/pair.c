// SPDX-License-Identifier: MIT
/*
 * An event only sets a flag, the work is done by pair_poll, which the event loop calls before it sleeps.
 * While there is work the guest is told not to kick.
 *
 * Kicks are edge-triggered: an eventfd need not be read for the next edge to come. Only the statistics need
 * what it holds, so it is read once in many wake-ups, for the kicks that came together.
 *
 * The frame fd is level-triggered, so that a lone frame needs no second read that finds nothing. What cannot
 * be done now is not watched, so that it wakes nobody.
 */
#include "vmm/core/eventfd.h"
#include "vmm/devices/virtio_net/pair.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "vmm/core/evloop.h"
#include "vmm/devices/virtio_net/netq.h"
#include "vmm/devices/virtio_net/tx_hold.h"

#define BUDGET	   64 /* packets each way before the other way has its turn */
#define READ_EVERY 64 /* wake-ups by a kick: the eventfd */

struct kick {
	struct pair *pair;
	bool tx;
	bool watched;
	bool rung;	    /* since it was last counted */
	unsigned wakes;	    /* that were counted since the eventfd was last read */
	uint64_t descs_was; /* at the last count: no progress since makes the kick a spurious one */
};

struct pair {
	struct net_backend *be;
	unsigned index;
	uint64_t poll_ns;
	struct evloop *loop;
	struct netq q;
	struct net_filter filter;
	struct kick kick[2]; /* receive, transmit */
	bool fd_watched;
	uint32_t fd_events;  /* for which */
	bool awake;	     /* there may be work */
	uint64_t poll_until; /* busy polling, 0: not */
	struct tx_hold hold; /* of q.tx_held */
};

static struct served_ring *ring_of(struct pair *p, bool tx)
{
	return &p->be->rings[2 * p->index + tx];
}

static void on_kick(void *arg, uint32_t events)
{
	struct kick *k = arg;

	(void)events;
	k->rung = true;
	k->pair->awake = true;
}

/*
 * An error does not go away, and would wake us for ever (a TAP's queue that is detached, a TAP that is gone):
 * from then on only changes are told.
 */
static void on_fd(void *arg, uint32_t events)
{
	struct pair *p = arg;

	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		p->q.fd_readable = true;
	if (events & EPOLLOUT)
		p->q.fd_blocked = false;
	if (events & (EPOLLERR | EPOLLHUP))
		p->q.fd_level = false;
	p->awake = true;
}

/* sleep: from now on an event would wake us. */
static void watch_fd(struct pair *p, bool sleep)
{
	uint32_t events = EPOLLIN | EPOLLOUT | EPOLLET;

	if (p->q.fd_level)
		events = bits_if(!(sleep && p->q.fd_readable), EPOLLIN) |
			 bits_if(p->q.fd_blocked, EPOLLOUT);
	if (events != p->fd_events && !evloop_mod(p->loop, p->q.fd, events))
		p->fd_events = events;
}

static void on_call(void *arg, bool tx)
{
	struct pair *p = arg;
	struct net_backend *be = p->be;

	be->front_ops->call(be->front, 2 * p->index + tx);
}

/* What came together with a kick that was counted. Who else holds the fd may have read it before. */
static void read_kicks(struct kick *k)
{
	struct served_ring *r = ring_of(k->pair, k->tx);

	stats_count(&r->stats->kicks, sub_floor(eventfd_drain(r->kick_fd), k->wakes));
	k->wakes = 0;
}

static void count_kick(struct kick *k)
{
	struct stats_queue *s = ring_of(k->pair, k->tx)->stats;

	if (!k->rung)
		return;
	k->rung = false;
	stats_count(&s->kicks, 1);
	if (s->descs == k->descs_was)
		stats_count(&s->spurious_kicks, 1);
	k->descs_was = s->descs;
	if (++k->wakes == READ_EVERY)
		read_kicks(k);
}

static void stop_direction(struct pair *p, bool tx)
{
	struct kick *k = &p->kick[tx];

	if (k->watched) {
		count_kick(k);
		read_kicks(k);
		evloop_del(p->loop, ring_of(p, tx)->kick_fd);
	}
	k->watched = false;
	if (netq_is_on(&p->q, tx))
		ring_of(p, tx)->base = netq_stop(&p->q, tx);
}

static void report_broken(struct pair *p)
{
	struct net_backend *be = p->be;

	for (int tx = 0; tx < 2; tx++) {
		if (!netq_is_on(&p->q, tx) || !netq_ring(&p->q, tx)->broken)
			continue;
		stop_direction(p, tx);
		be->front_ops->ring_broken(be->front, 2 * p->index + (unsigned)tx);
	}
}

/* True while busy polling goes on: from the last work done for poll_us. */
static bool keep_polling(struct pair *p, bool worked)
{
	uint64_t now;

	if (!p->poll_ns)
		return false;
	now = clock_ns();
	if (worked)
		p->poll_until = now + p->poll_ns;
	return now < p->poll_until;
}

/* It has not yet come to the end of what was received, and takes sent buffers back before. */
static bool guest_is_busy(const struct pair *p)
{
	return p->q.rx_on && !virtq_driver_waits(&p->q.rx);
}

/* What is held back goes out in time, be there other work or not; ns until then. */
static int64_t flush_in_time(struct pair *p)
{
	uint64_t left;

	if (!p->q.tx_held)
		return EVLOOP_FOREVER;
	left = tx_hold_left(&p->hold, clock_ns(), guest_is_busy(p));
	if (left)
		return (int64_t)left;
	netq_flush(&p->q);
	tx_hold_end(&p->hold);
	return EVLOOP_FOREVER;
}

static int run_pair(struct pair *p, bool arm, bool *worked)
{
	uint64_t sent = p->q.tx_stats->descs, received = p->q.rx_stats->descs;
	int r = netq_run(&p->q, BUDGET, arm);

	*worked = sent != p->q.tx_stats->descs || received != p->q.rx_stats->descs;
	if (!p->q.tx_held)
		tx_hold_end(&p->hold);
	else if (*worked)
		tx_hold_begin(&p->hold, clock_ns());
	return r;
}

static int64_t pair_poll(void *arg)
{
	struct pair *p = arg;
	int64_t sleep = flush_in_time(p);
	bool worked;
	int r;

	if (!p->awake)
		return sleep;
	r = run_pair(p, false, &worked);
	if (!r && keep_polling(p, worked)) {
		watch_fd(p, false);
		return 0;
	}
	if (!r) {
		count_kick(&p->kick[0]);
		count_kick(&p->kick[1]);
		r = run_pair(p, true, &worked);
	}
	if (r < 0)
		report_broken(p);
	p->awake = r != 0;
	watch_fd(p, !p->awake);
	if (p->awake)
		return 0;
	return flush_in_time(p);
}

/* ---- start and stop, on the pair's thread ---- */

static int start_direction(struct pair *p, bool tx, uint64_t features)
{
	struct served_ring *r = ring_of(p, tx);
	struct kick *k = &p->kick[tx];
	int err;

	if (!r->ready)
		return 0;
	p->q.features = features;
	err = netq_start(&p->q, tx, p->be->gm, &r->layout, r->base);
	if (err) {
		log_guest("%s: ring %u is misaligned or not in memory", p->be->dev_name,
			  2 * p->index + tx);
		p->be->front_ops->ring_broken(p->be->front, 2 * p->index + tx);
		return 0; /* the guest's fault: the device is told, the process lives */
	}
	virtq_track(netq_ring(&p->q, tx), r->progress);
	k->descs_was = r->stats->descs;
	err = evloop_add(p->loop, r->kick_fd, EPOLLIN | EPOLLET, on_kick, k);
	k->watched = !err;
	p->awake = true;
	return err;
}

struct start_call {
	struct pair *p;
	uint64_t features;
	bool rx, tx;
	int err;
};

static void do_start(void *arg)
{
	struct start_call *c = arg;
	struct pair *p = c->p;

	p->q.rx_stats = ring_of(p, false)->stats;
	p->q.tx_stats = ring_of(p, true)->stats;
	if (c->rx)
		c->err = start_direction(p, false, c->features);
	if (c->tx && !c->err)
		c->err = start_direction(p, true, c->features);
	if (!p->fd_watched && !c->err) {
		p->q.fd_readable = p->q.fd_level = true;
		p->q.fd_blocked = false;
		p->fd_events = 0;
		c->err = evloop_add(p->loop, p->q.fd, 0, on_fd, p);
		p->fd_watched = !c->err;
	}
	if (!c->err)
		evloop_set_poll(p->loop, pair_poll, p);
}

static void do_stop(void *arg)
{
	struct start_call *c = arg;
	struct pair *p = c->p;

	if (c->rx)
		stop_direction(p, false);
	if (c->tx)
		stop_direction(p, true);
	if (p->q.rx_on || p->q.tx_on)
		return;
	evloop_set_poll(p->loop, NULL, NULL);
	if (p->fd_watched)
		evloop_del(p->loop, p->q.fd);
	p->fd_watched = false;
	p->awake = false;
}

int pair_start(struct pair *p, uint64_t features, bool rx, bool tx)
{
	struct start_call c = {.p = p, .features = features, .rx = rx, .tx = tx};

	evloop_call(p->loop, do_start, &c);
	return c.err;
}

int pair_restart(struct pair *p, bool tx)
{
	return pair_start(p, p->q.features, !tx, tx);
}

void pair_stop(struct pair *p, bool rx, bool tx)
{
	struct start_call c = {.p = p, .rx = rx, .tx = tx};

	evloop_call(p->loop, do_stop, &c);
}

struct filter_call {
	struct pair *p;
	const struct net_filter *f;
};

static void do_filter(void *arg)
{
	struct filter_call *c = arg;

	c->p->filter = *c->f;
	c->p->q.filter = &c->p->filter;
}

void pair_set_filter(struct pair *p, const struct net_filter *f)
{
	struct filter_call c = {p, f};

	evloop_call(p->loop, do_filter, &c);
}

int pair_open(struct pair **out, const struct pair_config *cfg)
{
	struct pair *p = *out = calloc(1, sizeof(*p));
	char name[16];
	int err;

	if (!p)
		return -ENOMEM;
	p->be = cfg->be;
	p->index = cfg->index;
	p->poll_ns = cfg->poll_ns;
	p->hold.ns = cfg->hold_ns;
	p->q.fd = cfg->fd;
	p->q.call = on_call;
	p->q.arg = p;
	p->q.hold = cfg->hold_ns != 0;
	for (int tx = 0; tx < 2; tx++) {
		p->kick[tx].pair = p;
		p->kick[tx].tx = tx;
	}
	err = netq_init(&p->q);
	if (err)
		return err;
	snprintf(name, sizeof(name), "%.11s-q%u", cfg->be->dev_name, (uint8_t)cfg->index % 10u);
	return evloop_create(&p->loop, p->be->threads, THREAD_IO, name);
}

void pair_close(struct pair *p)
{
	if (!p)
		return;
	evloop_destroy(p->loop);
	netq_free(&p->q);
	free(p);
}
