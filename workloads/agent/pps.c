// SPDX-License-Identifier: MIT
/*
 * net-pps, both sides. The agent directs trials of a given rate and length. Without a rate it first
 * floods, which bounds the answer from above, then halves the interval (on the log scale) until it
 * is 2 % wide, and confirms the best loss-free rate in a longer trial before it opens the window
 * for one at that rate. The window holds that trial alone.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "workloads/agent/peer.h"
#include "workloads/agent/udp.h"

#define SEARCH_STEPS 10

struct director {
	struct agent *a;
	struct udp_flow flow;
	int control;
	uint32_t trial;
};

struct outcome {
	uint64_t sent, received, bad, reordered, ns;
};

/* ---- agent ---- */

static int udp_to_peer(struct agent *a)
{
	union talk_addr to, any;
	int fd;

	if (talk_addr(&to, a->job.peer, a->job.port))
		return -EINVAL;
	any = to;
	if (to.sa.sa_family == AF_INET6)
		any.in6.sin6_addr = in6addr_any;
	else
		any.in4.sin_addr.s_addr = htonl(INADDR_ANY);
	/* Loopback: both ends on one host want different ports. The peer learns ours from the first line. */
	any.in4.sin_port = 0;
	fd = socket(to.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, &any.sa, talk_addr_len(&any)) || connect(fd, &to.sa, talk_addr_len(&to))) {
		int err = -errno;

		close_fd(&fd);
		return err;
	}
	return fd;
}

static int run_trial(struct director *d, uint64_t rate, uint64_t ns, struct outcome *out, struct window *w)
{
	int direction = d->a->job.direction;
	char line[256];
	int64_t sent = 0;
	struct udp_counts got;
	uint64_t t0;
	int err;

	udp_begin_trial(&d->flow, ++d->trial);
	err = talk_say(d->control, "trial id=%u rate=%" PRIu64 " ns=%" PRIu64, d->trial, rate, ns);
	if (!err)
		err = talk_expect(d->control, "ok", line, sizeof(line));
	if (err)
		return err;
	if (w)
		window_open(d->a, w);
	t0 = clock_ns();
	if (direction == JOB_RX)
		clock_sleep_ns(ns);
	else
		sent = udp_send(&d->flow, rate, ns);
	out->ns = clock_ns() - t0;
	if (w)
		window_close(d->a, w);
	if (sent < 0)
		return agent_fail((int)sent, "UDP send: %s", strerror((int)-sent));
	err = talk_say(d->control, "end");
	if (!err)
		err = talk_expect(d->control, "result", line, sizeof(line));
	if (err)
		return err;
	got = udp_settle(&d->flow);
	out->sent = (uint64_t)sent + talk_value(line, "tx");
	out->received = got.received + talk_value(line, "rx");
	out->bad = got.bad + talk_value(line, "bad");
	out->reordered = got.reordered + talk_value(line, "reordered");
	if (out->bad)
		return agent_fail(-EBADMSG, "integrity: %" PRIu64 " damaged datagrams", out->bad);
	return 0;
}

static uint64_t lost_datagrams(const struct outcome *o)
{
	return sub_floor(o->sent, o->received);
}

static bool trial_clean(const struct director *d, const struct outcome *o)
{
	return o->sent && lost_datagrams(o) * 1000000 <= o->sent * d->a->job.loss_ppm;
}

static uint64_t per_second(uint64_t n, uint64_t ns)
{
	return (uint64_t)((double)n * 1e9 / (double)MAX(ns, 1));
}

/* How many sides send at the rate: with direction=both each of them does. */
static uint64_t sides(const struct director *d)
{
	return d->a->job.direction == JOB_BOTH ? 2 : 1;
}

static int search_rate(struct director *d, uint64_t *rate)
{
	uint64_t ns = MAX(d->a->job.duration_ns / 8, 100 * NSEC_PER_MSEC), low = 0, high, next;
	struct outcome o = {0};
	int err = run_trial(d, 0, ns, &o, NULL);

	if (err)
		return err;
	high = per_second(o.sent, o.ns) / sides(d) + 1;
	next = MAX(per_second(o.received, o.ns) / sides(d), 1);
	for (int i = 0; !err && i < SEARCH_STEPS && high > low + low / 50 + 1; i++) {
		err = run_trial(d, next, ns, &o, NULL);
		if (trial_clean(d, &o))
			low = next;
		else
			high = next;
		if (low)
			next = (uint64_t)sqrt((double)low * (double)high);
		else
			next = MAX(high / 2, 1);
	}
	for (int i = 0; !err && low && i < 5; i++) {
		err = run_trial(d, low, d->a->job.duration_ns / 2, &o, NULL);
		if (trial_clean(d, &o))
			break;
		low -= low / 10;
	}
	if (!err && !low)
		return agent_fail(-EIO, "no loss-free rate: datagrams are lost at any rate");
	*rate = low;
	return err;
}

static void report_trial(struct director *d, const struct window *w, const struct outcome *o,
			 uint64_t searched)
{
	report_metric("offered_per_s", (double)o->sent * 1e9 / (double)o->ns);
	report_metric("delivered_per_s", (double)o->received * 1e9 / (double)o->ns);
	report_metric("loss_pct", 100.0 * (double)lost_datagrams(o) / (double)MAX(o->sent, 1));
	report_metric("reordered", (double)o->reordered);
	if (searched)
		report_metric("lossfree_per_s", (double)(searched * sides(d)));
	window_report(d->a, w, 0);
}

static int direct_trials(struct director *d)
{
	const struct workload_job *job = &d->a->job;
	uint64_t rate = job->rate, searched = 0;
	struct window w = {0};
	struct outcome o = {0};
	int err = 0;

	agent_ready(d->a);
	if (!rate && !job->flood) {
		err = search_rate(d, &searched);
		rate = searched;
	} else if (job->warmup_ns) {
		err = run_trial(d, rate, job->warmup_ns, &o, NULL);
	}
	if (!err)
		err = run_trial(d, rate, job->duration_ns, &o, &w);
	if (!err && !o.received)
		err = agent_fail(-EIO, "not one datagram of %" PRIu64 " arrived", o.sent);
	if (!err)
		report_trial(d, &w, &o, searched);
	return err;
}

int run_pps(struct agent *a)
{
	static struct director d;
	union talk_addr me = {.in6 = {0}};
	socklen_t len = sizeof(me);
	int fd, err;

	if (!udp_size(&a->job) || a->job.tool != JOB_ENGINE || a->job.work)
		return agent_fail(-EINVAL, "net-pps: our engine, msg_size %d to %d, a duration", UDP_MIN,
				  UDP_MAX);
	d.a = a;
	d.control = talk_control(a);
	if (d.control < 0)
		return d.control;
	fd = udp_to_peer(a);
	if (fd < 0 || getsockname(fd, &me.sa, &len))
		err = agent_fail(-EIO, "no UDP socket");
	else
		err = talk_say(d.control, "udp port=%u", ntohs(me.in4.sin_port));
	if (!err)
		err = udp_start(&d.flow, fd, &a->job);
	if (!err)
		err = direct_trials(&d);
	udp_stop(&d.flow);
	close_fd(&fd);
	close(d.control);
	return err;
}

/* ---- peer ---- */

static int udp_to_agent(struct session *s, uint64_t agent_port)
{
	union talk_addr own = {
		.in6 = {.sin6_family = s->from.sa.sa_family, .sin6_port = htons((uint16_t)s->job.port)}};
	int one = 1, err, fd = socket(s->from.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	s->from.in6.sin6_port = htons((uint16_t)agent_port);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, &own.sa, talk_addr_len(&own)) || connect(fd, &s->from.sa, talk_addr_len(&s->from))) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static int serve_trial(struct session *s, struct udp_flow *f, const char *line)
{
	int64_t sent = 0;
	struct udp_counts got;
	char end[64];
	int err;

	udp_begin_trial(f, (uint32_t)talk_value(line, "id"));
	err = talk_say(s->control, "ok");
	if (!err && s->job.direction != JOB_TX)
		sent = udp_send(f, talk_value(line, "rate"), talk_value(line, "ns"));
	if (!err)
		err = talk_line(s->control, end, sizeof(end));
	if (sent < 0)
		return (int)sent;
	if (err < 0)
		return err;
	got = udp_settle(f);
	return talk_say(s->control, "result tx=%" PRId64 " rx=%" PRIu64 " bad=%" PRIu64 " reordered=%" PRIu64,
			sent, got.received, got.bad, got.reordered);
}

int peer_pps(struct session *s)
{
	static struct udp_flow f;
	char line[128];
	int fd = -1, n, err;

	if (!udp_size(&s->job))
		return talk_say(s->control, "err msg_size must be %d to %d", UDP_MIN, UDP_MAX);
	err = talk_say(s->control, "ok");
	memset(&f, 0, sizeof(f));
	if (!err) {
		n = talk_line(s->control, line, sizeof(line));
		err = MIN(n, 0);
	}
	if (!err) {
		fd = udp_to_agent(s, talk_value(line, "port"));
		err = MIN(fd, 0);
		if (!err)
			err = udp_start(&f, fd, &s->job);
	}
	peer_clock_start(s);
	while (!err) {
		n = talk_line(s->control, line, sizeof(line));
		if (n < 0)
			break; /* the agent has all it wanted */
		err = serve_trial(s, &f, line);
	}
	peer_clock_stop(s);
	if (err)
		talk_say(s->control, "err UDP: %s", strerror(-err));
	udp_stop(&f);
	close_fd(&fd);
	return err;
}
