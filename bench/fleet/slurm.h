/* SPDX-License-Identifier: MIT */
/*
 * Slurm as the engine of a sweep: each plan is one job that has its machine for itself, so that all
 * sides of a comparison share one; what is lost with a machine is run again elsewhere.
 */
#ifndef BENCH_FLEET_SLURM_H
#define BENCH_FLEET_SLURM_H

#include "bench/fleet/campaign.h"

/*
 * The partition of "slurm:PARTITION"; "" of "slurm": the cluster's own choice. NULL (logged) for another
 * executor. who: the subcommand.
 */
const char *slurm_partition(const char *who, const char *executor);
/* The exit status of the sweep; 130 after Ctrl-C, which cancels what is out. */
int slurm_sweep(const struct jobfile *f, const struct campaign_want *want);

#endif
