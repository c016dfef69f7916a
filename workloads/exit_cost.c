// SPDX-License-Identifier: MIT
/* The micro guest's own: each operation in a loop minus the empty loop (workloads/micro/). job->op selects some of them. */
#include "workloads/table.h"

const struct workload workload_exit_cost = {
	.name = "exit-cost",
	.summary = "round trip of each kind of exit, from inside a micro guest",
	.needs = NEED_KVM,
	.guests = GUEST_MICRO,
	.metrics = "exit_cost_ns cpuid_ns pio_ns mmio_ns ioeventfd_ns",
};
