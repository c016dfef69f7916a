/* SPDX-License-Identifier: MIT */
/* For the files of the table's rows only; everyone else wants workloads.h. */
#ifndef WORKLOADS_TABLE_H
#define WORKLOADS_TABLE_H

#include "base/util.h"
#include "workloads/workloads.h"

extern const struct workload workload_boot, workload_compute, workload_exit_cost, workload_idle,
	workload_ipi, workload_memory, workload_net_latency, workload_net_pps, workload_net_rebind,
	workload_net_selftest, workload_net_throughput, workload_null, workload_skeleton,
	workload_timer;

/* workload_validate's rule for one row, so that tests can feed it bad ones. 0 or -EINVAL (logged).
 */
int workload_validate_row(const struct workload *w);

#endif
