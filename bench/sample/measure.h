/* SPDX-License-Identifier: MIT */
/* From what was observed (agent's lines, probes, statistics page) to the metrics and checks of a sample. */
#ifndef BENCH_SAMPLE_MEASURE_H
#define BENCH_SAMPLE_MEASURE_H

#include "results/record.h"
#include "vmm/stats_page.h"

struct observed {
	json_t *agent;                  /* metrics that the guest reported: name -> number */
	json_t *hists;                  /* histograms that the guest reported: name -> hist */
	json_t *peer;                   /* metrics of the other end, or NULL */
	json_t *probes;                 /* probes_read, or NULL */
	const struct stats_page *stats; /* or NULL */
	uint64_t boot_ns;               /* power-on to the agent's first word; 0: not seen */
	bool whole_boot;                /* the window is the boot */
	bool open_ends;                 /* the load was in flight at the window's edges */
	bool foreign_helper; /* who serves the disk counts nothing in our VMM's page */
	const uint64_t
		*commands; /* that the kernel's target counted until the window and until its end, or NULL */
	bool contained; /* no VM, but namespaces: no exits, which the table says */
	bool translated; /* a VM without KVM: no exits, and nobody sees its marker */
};

/*
 * Fills metrics, exits, threads, hists, bottleneck and checks. 0, or -EIO with *why set: void, without
 * metrics.
 */
int measure_sample(const struct observed *o, struct record_sample *s, char **why);

/* One row per reason and key out of rows of several vCPUs, VMs or samples: sums, merged histograms. */
json_t *measure_merge_exits(const json_t *rows);
/* Sums over so many samples become means of one. */
void measure_exits_per_sample(json_t *rows, size_t samples);
/*
 * Samples of VMs that ran at the same time become the first of them: rates, counts and CPU are sums, times
 * and what is per packet are means. Its vms keep the metrics of each.
 */
void measure_join_vms(struct record_sample *vm, unsigned n);

/* ---- cross_check.c ---- */

/*
 * The probes against the others who count: KVM's own binary statistics as the VMM read them at the two marker
 * writes, or, on back ends without kvm_exit, the VMM. Adds the check; false: they disagree.
 */
bool measure_cross_check(const struct observed *o, json_t *checks);
/*
 * The requests and flushes that the guest's kernel (or our driver) counted at the disk against those that
 * the VMM's queues got: not one more, not one less, none of them bad; or the requests against the commands
 * of the kernel's target. Adds the check where there are both; false: they disagree.
 */
bool measure_disk_check(const struct observed *o, json_t *checks);

/* ---- laps.c ---- */

/* The kind of operation that a metric of the agent counts ("ops.fork" is "fork"), or NULL. */
const char *measure_lap_kind(const char *metric);
/*
 * exits_per_op.KIND of each kind of operation that the agent tells of (ops.KIND), from the edges that it
 * marked in its window, and hypercalls_per_op.KIND where each exit was recorded. Nothing without probes, and
 * 0 in a container.
 */
void measure_laps(const struct observed *o, json_t *metrics);
/* Of each kind the exits of its part, where each was recorded: a list as .samples[].ops, or NULL. */
json_t *measure_ops(const struct observed *o);
/*
 * Operations that are known to be one exit each: what was recorded against what the guest says it did, within
 * 1 %. Adds the check where there are such; false: they disagree.
 */
bool measure_ops_check(const struct observed *o, const json_t *ops, json_t *checks);
/* Two edges for each kind. Adds the check where there are edges or kinds; false: the sample is void. */
bool measure_laps_check(const struct observed *o, json_t *checks);

#endif
