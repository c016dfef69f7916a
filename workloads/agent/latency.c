// SPDX-License-Identifier: MIT
/*
 * net-latency: one request, one answer of the same size and content, over one TCP connection. The time of a
 * transaction runs from its intended start: with a rate, transaction i is due at t0 + i / rate whether or not
 * its predecessor has been answered, so that a stall is charged to all that it delayed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "workloads/agent/extra.h"
#include "workloads/agent/talk.h"

#define MSG_MAX		   (1u << 20)
#define QUIET_TRANSACTIONS 128 /* 5 ms to 0.3 s */

struct pinger {
	int fd;
	size_t size;
	unsigned char *out, *in;
	uint64_t number;
};

static void sleep_until(uint64_t ns)
{
	struct timespec ts = {(time_t)(ns / NSEC_PER_SEC), (long)(ns % NSEC_PER_SEC)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

static int one_transaction(struct pinger *p)
{
	int err;

	p->number++;
	extra_port_read();
	memcpy(p->out, &p->number, MIN(p->size, sizeof(p->number)));
	err = talk_send_all(p->fd, p->out, p->size);
	if (!err)
		err = talk_recv_all(p->fd, p->in, p->size);
	if (err)
		return agent_fail(err, "transaction %llu: %s", (unsigned long long)p->number, strerror(-err));
	if (memcmp(p->in, p->out, p->size) != 0)
		return agent_fail(-EBADMSG, "integrity: transaction %llu came back changed",
				  (unsigned long long)p->number);
	return 0;
}

/* Until ns have passed (or work transactions are done, if not 0); h may be NULL. */
static int run_for(struct pinger *p, uint64_t rate, uint64_t ns, uint64_t work, struct hist *h)
{
	uint64_t t0 = clock_ns(), now = t0;
	int err = 0;

	for (uint64_t i = 0; !err && (i < work || (!work && now - t0 < ns)); i++) {
		uint64_t due = now;

		if (rate)
			due = t0 + (uint64_t)((double)i * 1e9 / (double)rate);
		if (due > now)
			sleep_until(due);
		err = one_transaction(p);
		now = clock_ns();
		if (h && !err)
			hist_add(h, now - due);
	}
	return err;
}

static void report_transactions(struct agent *a, const struct window *w, const struct hist *h)
{
	report_metric("transactions_per_s", (double)h->count * 1e9 / (double)window_ns(w));
	report_latency(h);
	window_report(a, w, h->count);
}

static int measure_latency(struct agent *a, struct pinger *p)
{
	static struct hist h;
	struct window w = {0};
	int err;

	hist_init(&h);
	for (size_t i = 0; i < p->size; i++)
		p->out[i] = (unsigned char)(i * 131 + a->job.seed);
	agent_ready(a);
	err = run_for(p, a->job.rate, a->job.warmup_ns, a->job.work ? 16 : 0, NULL);
	window_open(a, &w);
	if (!err)
		err = run_for(p, a->job.rate, a->job.duration_ns, a->job.work, &h);
	window_close(a, &w);
	if (!err)
		report_transactions(a, &w, &h);
	return err;
}

/* Both connections and the buffers, for as long as use takes. */
static int with_peer(struct agent *a, int (*use)(struct agent *a, struct pinger *p))
{
	struct talk_hello hello = {TALK_MAGIC, TALK_DATA, 0, 0, 0};
	struct pinger p = {.size = or_usual(a->job.msg_size, 1)};
	int control, err = 0;

	control = talk_control(a);
	if (control < 0)
		return control;
	p.fd = talk_connect(&a->job, &hello, 5 * NSEC_PER_SEC);
	p.out = malloc(p.size);
	p.in = malloc(p.size);
	if (p.fd < 0 || !p.out || !p.in)
		err = agent_fail(-EIO, "no data connection");
	if (!err)
		err = use(a, &p);
	free(p.out);
	free(p.in);
	close_fd(&p.fd);
	close(control);
	return err;
}

int run_latency(struct agent *a)
{
	if (a->job.msg_size > MSG_MAX || a->job.streams != 1 || a->job.tool != JOB_ENGINE)
		return agent_fail(-EINVAL, "net-latency: one stream of our engine, msg_size at most %u",
				  MSG_MAX);
	return with_peer(a, measure_latency);
}

static int median_only(struct agent *a, struct pinger *p)
{
	static struct hist h;
	int err;

	(void)a;
	hist_init(&h);
	err = run_for(p, 0, 0, 16, NULL);
	if (!err)
		err = run_for(p, 0, 0, QUIET_TRANSACTIONS, &h);
	if (!err)
		report_metric("latency_ns", (double)hist_quantile(&h, 0.5));
	return err;
}

int latency_when_quiet(const struct agent *a)
{
	struct agent one = *a;

	snprintf(one.job.workload, sizeof(one.job.workload), "net-latency");
	one.job.msg_size = 1;
	one.job.tool = JOB_ENGINE;
	return with_peer(&one, median_only);
}
