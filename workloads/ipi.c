// SPDX-License-Identifier: MIT
/* ipi: one vCPU wakes another, spinning or asleep. */
#include "workloads/table.h"

static void ipi_defaults(struct workload_job *job)
{
	job->work = 10000;
}

const struct workload workload_ipi = {
	.name = "ipi",
	.summary = "one vCPU interrupts another, running and asleep (cpus=2)",
	.guests = GUEST_LINUX | GUEST_MICRO | GUEST_NONE,
	.metrics = "ipi_ns ipi_p99_ns ipi_wake_ns exits_per_op",
	.cpus = 2,
	.defaults = ipi_defaults,
};
