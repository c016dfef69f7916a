/* SPDX-License-Identifier: MIT */
/* What the plan of an experiment needs of a machine, as the features of a cluster's nodes are called. */
#ifndef BENCH_FLEET_NEEDS_H
#define BENCH_FLEET_NEEDS_H

#include "bench/plan/jobfile.h"

/*
 * "kvm&vhost"; "" for nothing, as in a lab, which brings all of it along. NULL (logged) when the words
 * are no plan. Caller frees.
 */
char *needs_of(const struct job_experiment *e);

#endif
