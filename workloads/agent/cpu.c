// SPDX-License-Identifier: MIT
/* Workloads without a device: null, idle, compute, timer. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "workloads/agent/agent.h"
#include "workloads/kernels.h"

/* The smallest workload there is: an empty window. Also what `boot` runs; its number is taken outside. */
int run_null(struct agent *a)
{
	struct window w = {0};

	report_line("ready");
	window_open(a, &w);
	window_close(a, &w);
	window_report(a, &w, 0);
	return 0;
}

int run_idle(struct agent *a)
{
	struct window w = {0};

	agent_ready(a);
	clock_sleep_ns(a->job.warmup_ns);
	window_open(a, &w);
	clock_sleep_ns(a->job.duration_ns);
	window_close(a, &w);
	window_report(a, &w, 0);
	return 0;
}

/* A fixed job: the same instructions on bare metal, in a guest and under binary translation. */
int run_compute(struct agent *a)
{
	static uint64_t table[COMPUTE_WORDS];
	uint64_t rounds = or_usual(a->job.work, 2000), first, second;
	struct window w = {0};

	first = compute(table, a->job.seed, MIN(rounds, 10));
	agent_ready(a);
	window_open(a, &w);
	second = compute(table, a->job.seed, rounds);
	window_close(a, &w);
	if (compute(table, a->job.seed, MIN(rounds, 10)) != first)
		return agent_fail(-EBADMSG, "integrity: the same computation gave two results");
	report_note("compute: %llu rounds gave %016llx", (unsigned long long)rounds,
		    (unsigned long long)second);
	report_metric("compute_ns", (double)window_ns(&w));
	window_report(a, &w, rounds);
	return 0;
}

static uint64_t sleep_to(uint64_t due)
{
	struct timespec ts = {(time_t)(due / NSEC_PER_SEC), (long)(due % NSEC_PER_SEC)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
	return sub_floor(clock_ns(), due);
}

/* Periodic absolute sleeps: how late each wake-up comes, and what it costs in exits (timer, HLT,
 * interrupt). */
int run_timer(struct agent *a)
{
	static struct hist late;
	uint64_t period = MAX(a->job.period_ns, 1000), next, n;
	struct window w = {0};

	n = or_usual(a->job.work, a->job.duration_ns / period);
	if (!n)
		return agent_fail(-EINVAL, "timer: period_ns is longer than the window");
	hist_init(&late);
	agent_ready(a);
	sleep_to(clock_ns() + period);
	window_open(a, &w);
	next = clock_ns();
	for (uint64_t i = 0; i < n; i++) {
		next += period;
		hist_add(&late, sleep_to(next));
	}
	window_close(a, &w);
	report_metric("timer_late_ns", (double)hist_quantile(&late, 0.5));
	report_metric("timer_late_p99_ns", (double)hist_quantile(&late, 0.99));
	report_hist("timer_late_ns", &late);
	window_report(a, &w, n);
	return 0;
}
