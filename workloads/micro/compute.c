// SPDX-License-Identifier: MIT
/* compute: the same integer job as the Linux agent's, so that both give one checksum. */
#include "workloads/micro/micro.h"

#define WORDS 8192 /* 64 KiB: stays in the caches */

static uint64_t one_round(uint64_t *table, uint64_t x)
{
	for (unsigned i = 0; i < WORDS; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		if (x & 1)
			x += table[(x >> 20) % WORDS];
		table[i] = x * 0x9e3779b97f4a7c15ull;
	}
	return x;
}

static uint64_t compute(uint64_t *table, uint64_t seed, uint64_t rounds)
{
	uint64_t x = seed * 2 + 1;

	for (unsigned i = 0; i < WORDS; i++)
		table[i] = i + seed;
	while (rounds--)
		x = one_round(table, x);
	return x;
}

int job_compute(const struct workload_job *job)
{
	uint64_t *table = mem_alloc(WORDS * sizeof(*table), 4096);
	uint64_t rounds = job->work ? job->work : 2000, first, second;

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
