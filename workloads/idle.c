// SPDX-License-Identifier: MIT
/* idle: nothing is done for the job's duration; what a quiet guest costs. */
#include "base/clock.h"
#include "workloads/table.h"

const struct workload workload_idle = {
	.name = "idle",
	.summary = "a guest that does nothing: what silence costs",
	.guests = GUEST_LINUX | GUEST_NONE,
	.duration_ns = 5 * NSEC_PER_SEC,
	.metrics = "exits_per_s cpu_pct guest_interrupts guest_switches",
};
