// SPDX-License-Identifier: MIT
/* The micro guest's own: each operation in a loop minus the empty loop (workloads/micro/). job->op
 * selects some of them. */
#include "workloads/table.h"

const struct workload workload_exit_cost = {
	.name = "exit-cost",
	.summary = "round trip of each kind of exit, from inside a micro guest",
	.needs = NEED_KVM,
	.guests = GUEST_MICRO,
	.cpus = 2, /* ipi */
	.metrics =
		"exit_cost_ns exit_cost_ns.pio_kernel exit_cost_ns.pio_user exit_cost_ns.mmio_user "
		"exit_cost_ns.mmio_write_user exit_cost_ns.ioeventfd exit_cost_ns.msi_self exit_cost_ns.hlt_wake "
		"exit_cost_ns.hypercall exit_cost_ns.ipi",
};
