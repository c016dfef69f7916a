// SPDX-License-Identifier: MIT
/* The same integer job on bare metal, in a guest and under binary translation (--vmm=qemu:accel=tcg). */
#include "workloads/table.h"

static void compute_defaults(struct workload_job *job)
{
	job->work = 20000; /* rounds of 8192 steps: about 0.9 s on a 2020s core */
}

const struct workload workload_compute = {
	.name = "compute",
	.summary = "a fixed integer job that stays in the caches",
	.guests = GUEST_LINUX | GUEST_MICRO | GUEST_NONE,
	.metrics = "compute_ns ops_per_s exits_per_s",
	.defaults = compute_defaults,
};
