// SPDX-License-Identifier: MIT
/*
 * The number is taken outside: from the start of the VMM to MARKER_BOOTED, the first act of the guest's init.
 */
#include "workloads/table.h"

const struct workload workload_boot = {
	.name = "boot",
	.summary = "power-on to the guest's init",
	.guests = GUEST_LINUX | GUEST_MICRO | GUEST_NONE,
	.flags = WORKLOAD_WHOLE_BOOT | WORKLOAD_MAY_NET,
	.metrics = "boot_ns guest_boot_ns boot_exits userspace_exits boot_cpu_ns vmm_overhead_bytes",
};
