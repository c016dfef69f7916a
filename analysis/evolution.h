/* SPDX-License-Identifier: MIT */
/*
 * The ways of running a kernel, in the order in which they came, and what each operation of kernel-ops costs
 * there, relative to the bare metal of the same machine: two labs count time differently.
 */
#ifndef ANALYSIS_EVOLUTION_H
#define ANALYSIS_EVOLUTION_H

#include "results/record.h"

struct evolution_step {
	const char *name;
	/* The records that measure it. */
	const char *substrate, *mode, *vmm, *paging;
};

/* Ends with a NULL name. */
extern const struct evolution_step evolution_steps[];

/* It is a record of this step. */
bool evolution_is(const struct evolution_step *step, const json_t *rec);
/*
 * What its numbers say where who looked on was chosen (--set observer=): to look on costs time, and who does
 * not counts nothing. Without a choice both.
 */
bool evolution_has_times(const json_t *rec);
bool evolution_has_counts(const json_t *rec);
/* NULL: a record of kernel-ops that is none of the steps, or of another workload. */
const struct evolution_step *evolution_step_of(const json_t *rec);
/*
 * The bare metal of the record's machine, on which its hypervisor may lie, among n records, the last one that
 * fits; NULL: none.
 */
const json_t *evolution_base(const json_t *rec, json_t *const *recs, size_t n);

/* "op_ns.syscall", ...: the i-th operation's metric, NULL behind the last. */
const char *evolution_metric(size_t i);
/* "syscall" of "op_ns.syscall". */
const char *evolution_operation(const char *metric);
/* What it costs, relative to base; NAN where one of the two has no such number. */
double evolution_ratio(const json_t *rec, const json_t *base, const char *metric);

#endif
