// SPDX-License-Identifier: MIT
/* compute: the same integer job as the Linux agent's, so that both give one checksum. */
#include "workloads/kernels.h"
#include "workloads/micro/micro.h"

int job_compute(const struct workload_job *job)
{
	uint64_t *table = mem_alloc(COMPUTE_WORDS * sizeof(*table), 4096);
	uint64_t rounds = or_usual(job->work, 2000), first, second;

	if (!table)
		return -1;
	first = compute(table, job->seed, MIN(rounds, 10));
	report("ready");
	window_open();
	second = compute(table, job->seed, rounds);
	window_close();
	if (compute(table, job->seed, MIN(rounds, 10)) != first)
		return report_fail("integrity: the same computation gave two results");
	report_note("compute: %lu rounds gave %lx", rounds, second);
	report_metric("compute_ns", window_ns());
	window_report(rounds);
	return 0;
}
