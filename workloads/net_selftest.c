// SPDX-License-Identifier: MIT
/* The driver's own offline self-test (ethtool -t eth0 offline): registers, EEPROM, interrupts,
 * loopback, link. */
#include "workloads/table.h"

const struct workload workload_net_selftest = {
	.name = "net-selftest",
	.summary = "the guest driver's offline self-test of its device",
	.guests = GUEST_LINUX,
	.flags = WORKLOAD_NET,
	.metrics = "selftests window_ns",
};
