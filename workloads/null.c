// SPDX-License-Identifier: MIT
/* Opens the window and closes it: what measuring costs by itself, and the shortest way through all
 * the machinery. */
#include "workloads/table.h"

const struct workload workload_null = {
	.name = "null",
	.summary = "an empty window: what measuring costs by itself",
	.guests = GUEST_LINUX | GUEST_MICRO | GUEST_NONE,
	.metrics = "window_ns exits",
};
