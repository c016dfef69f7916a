// SPDX-License-Identifier: MIT
/* timer: sleep (HLT) to each multiple of the period; how late is the first instruction after it. */
#include "workloads/micro/micro.h"

#define IRQ_TIMER   1
#define MAX_SAMPLES 65536u

int job_timer(const struct workload_job *job)
{
	uint64_t period = ns_to_tsc(job->period_ns), due, *late;
	uint64_t wanted = or_usual(job->work, job->duration_ns / MAX(job->period_ns, 1));
	unsigned n = (unsigned)MIN(wanted, MAX_SAMPLES);

	if (!n || job->period_ns < 1000)
		return report_fail("timer: period_ns must be from 1000 up to the window");
	if (!apic_timer_init(IRQ_TIMER))
		return report_fail("timer: the local APIC's timer cannot be used");
	late = mem_alloc(n * sizeof(*late), 64);
	if (!late)
		return -1;
	report("ready");
	due = ring0(halt_until, rdtsc() + period);
	window_open();
	for (unsigned i = 0; i < n; i++) {
		uint64_t after = rdtsc();

		due += period;
		if (after <
		    due) /* else too late to sleep: such a timer fires at once, and the delay counts */
			after = ring0(halt_until, due);
		late[i] = tsc_to_ns(sub_floor(after, due));
	}
	window_close();
	sort_u64(late, n);
	report_metric("timer_late_ns", late[n / 2]);
	report_metric("timer_late_p99_ns", late[(uint64_t)n * 99 / 100]);
	report_hist("timer_late_ns", late, n);
	window_report(n);
	return 0;
}
