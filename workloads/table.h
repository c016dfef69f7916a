/* SPDX-License-Identifier: MIT */
/* For the files of the table's rows only; everyone else wants workloads.h. */
#ifndef WORKLOADS_TABLE_H
#define WORKLOADS_TABLE_H

#include "base/util.h"
#include "workloads/workloads.h"

#define X(symbol, ...) extern const struct workload workload_##symbol;
#include "workloads/rows.h"
X(skeleton)
#undef X

/* workload_validate's rule for one row, so that tests can feed it bad ones. 0 or -EINVAL (logged).
 */
int workload_validate_row(const struct workload *w);

#endif
