/* SPDX-License-Identifier: MIT */
/*
 * The record of one run: a jansson object in the schema of results/SCHEMA.md, and what it says in structs.
 * Readers accept what an old or a short record lacks; texts, lists and objects in the structs are the
 * record's and live as long as it does.
 */
#ifndef RESULTS_RECORD_H
#define RESULTS_RECORD_H

#include <jansson.h>
#include "base/hist_json.h"
#include "results/members.h"

#define RECORD_SCHEMA 1

struct record {
	RECORD_MEMBERS(MEMBER_FIELD, )
};
struct record_params {
	PARAMS_MEMBERS(MEMBER_FIELD, )
};
struct record_plan {
	PLAN_MEMBERS(MEMBER_FIELD, )
};
struct record_environment {
	ENVIRONMENT_MEMBERS(MEMBER_FIELD, )
};
struct record_lab {
	LAB_MEMBERS(MEMBER_FIELD, )
};
struct record_input {
	INPUT_MEMBERS(MEMBER_FIELD, )
};
struct record_sample {
	SAMPLE_MEMBERS(MEMBER_FIELD, )
};
struct record_vm {
	VM_MEMBERS(MEMBER_FIELD, )
};
struct record_op {
	OP_MEMBERS(MEMBER_FIELD, )
};
struct record_thread {
	THREAD_MEMBERS(MEMBER_FIELD, )
};
struct record_bottleneck {
	BOTTLENECK_MEMBERS(MEMBER_FIELD, )
};
struct record_life {
	LIFE_MEMBERS(MEMBER_FIELD, )
};
struct record_step {
	STEP_MEMBERS(MEMBER_FIELD, )
};
struct record_stages {
	STAGES_MEMBERS(MEMBER_FIELD, )
};
struct record_noise {
	NOISE_MEMBERS(MEMBER_FIELD, )
};
struct record_summary {
	SUMMARY_MEMBERS(MEMBER_FIELD, )
};
struct record_exit {
	EXIT_MEMBERS(MEMBER_FIELD, )
};
struct record_check {
	CHECK_MEMBERS(MEMBER_FIELD, )
};

/* How each of them is written and checked (members_write, members_wrong), and where it stands in a record. */
extern const struct members record_members, params_members, plan_members, environment_members, lab_members,
	input_members, sample_members, vm_members, op_members, thread_members, bottleneck_members,
	life_members, step_members, stages_members, noise_members, summary_members, exit_members,
	check_members;
struct record_part {
	const char *path; /* ".samples[].threads[]"; "" is the record */
	const struct members *members;
};
extern const struct record_part record_parts[]; /* ends with a NULL path */

/* 0, or -EINVAL with the first offending path logged. Unknown members are allowed, a newer schema
 * is not. */
int record_validate(const json_t *rec, const char *name_for_messages);
/* Read and validate a record.json. NULL: logged. */
json_t *record_read(const char *path);

/* ---- what it says ---- */

struct record record_of(const json_t *rec);
struct record_params record_params_of(const json_t *rec);
struct record_plan record_plan_of(const json_t *rec);
struct record_environment record_environment_of(const json_t *rec);
struct record_sample record_sample_of(const json_t *sample);
struct record_bottleneck record_bottleneck_of(const struct record_sample *s);
struct record_life record_life_of(const struct record_sample *s);

/*
 * The i-th of such a list; false behind its end:
 *
 *   for (size_t i = 0; record_sample(r.samples, i, &s); i++)
 */
bool record_sample(const json_t *samples, size_t i, struct record_sample *s);
bool record_exit(const json_t *exits, size_t i, struct record_exit *e);
bool record_op(const json_t *ops, size_t i, struct record_op *op);
bool record_thread(const json_t *threads, size_t i, struct record_thread *t);
bool record_step(const json_t *steps, size_t i, struct record_step *s);
bool record_check(const json_t *checks, size_t i, struct record_check *c);
bool record_input(const json_t *inputs, size_t i, struct record_input *in);
bool record_text(const json_t *texts, size_t i, const char **text);

/* Adds {name, ok, detail} to .checks. */
void record_add_check(json_t *checks, const char *name, bool ok, const char *detail);
/* A text in any object; "" when it is absent. */
const char *record_str(const json_t *object, const char *key);

/* ---- metrics ---- */

/* One row per metric: name, unit, direction, one line of text. */
struct metric_info {
	const char *name, *unit;
	int better; /* +1 higher, -1 lower, 0 neither */
	const char *text;
};
/* Exact name, else NULL. The table ends with a NULL name. */
const struct metric_info *metric_find(const char *name);
extern const struct metric_info metric_table[];
/* The same for a kind of a metric: "exit_cost_ns.cpuid" is one of exit_cost_ns. */
const struct metric_info *metric_find_kind(const char *name);
/* "1.23 ms", "456 k": a value of it as people read it, from a ring of buffers. */
const char *metric_text(const char *metric, double value);

struct interval {
	double point, low, high; /* low and high are NAN when n is too small */
	size_t n;		 /* of two samples: the smaller */
};
/* Median of .summary with its interval; false when the metric is absent. */
bool record_summary(const json_t *rec, const char *metric, struct interval *out);
/*
 * The metrics of .summary one after the other: for (void *at = NULL; record_next_metric(rec, &at, &m,
 * &iv);)
 */
bool record_next_metric(const json_t *rec, void **at, const char **metric, struct interval *out);
/* Of an ok sample; false when it failed or lacks the metric. */
bool record_value(const struct record_sample *s, const char *metric, double *out);
/* The metric in every ok sample that has it, in their order; NULL and *n = 0 when none has. Caller frees. */
double *record_values(const json_t *rec, const char *metric, size_t *n);
/* Number of ok samples. */
size_t record_ok_samples(const json_t *rec);
/* A histogram summed over the ok samples; false when none has it. */
bool record_hist(const json_t *rec, const char *name, struct hist *out);
/* Length of one sample's window in ns, or 0 when the record does not tell. */
double record_window_ns(const json_t *rec, const struct record_sample *s);

/* ---- settings ---- */

/* A workload parameter or knob as a number; false when it is absent or not a number. */
bool record_setting(const json_t *rec, const char *name, double *out);
/* The same as text into buf; false when absent. */
bool record_setting_text(const json_t *rec, const char *name, char *buf, size_t size);
/* The text of one knob; "" when it was left alone. */
const char *record_knob(const json_t *rec, const char *name);
/* "event_idx=on ring=packed", sorted; "" when nothing was set. Caller frees. */
char *record_knobs(const json_t *rec);
/* The machine that the record was made on, below a lab if there was one; "" when it does not say. */
const char *record_machine(const json_t *rec);
/* How long a fixed piece of work took there, in ns; 0 when it does not say. */
int64_t record_machine_speed(const json_t *rec);
/*
 * What was measured, on whatever machine: "WORKLOAD/MODE/VMM/GUEST/SUBSTRATE/TIME_BASE[;k=v]..." with the
 * knobs and then the parameters sorted, less the number of repetitions. Caller frees.
 */
char *record_config(const json_t *rec);
/*
 * What one series of a history consists of: the same on one machine, ";@MACHINE" behind it. In virtual time
 * all machines are one. Caller frees.
 */
char *record_series(const json_t *rec);
/*
 * What ran, in every byte: equal for two runs of the same programs under the same host kernel, which are an
 * A/A experiment. "" when the record does not name its programs. Caller frees.
 */
char *record_build(const json_t *rec);

#endif
