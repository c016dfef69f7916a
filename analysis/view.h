/* SPDX-License-Identifier: MIT */
/* Reading a record for figures, reports and the dashboard: every accessor accepts records that lack
 * the thing asked for. */
#ifndef ANALYSIS_VIEW_H
#define ANALYSIS_VIEW_H

#include <jansson.h>
#include "analysis/stats.h"
#include "base/hist.h"
#include "results/record.h"

/* A string at a dotted path ("environment.host.cpu"); "" when absent. */
const char *view_str(const json_t *rec, const char *path);
/* One fact about the machine, wherever the environment keeps it: "cpu", "kernel". */
const char *view_env(const json_t *rec, const char *name);
/* A workload parameter or knob as a number; false when it is absent or not a number. */
bool view_number(const json_t *rec, const char *name, double *out);
/* A workload parameter or knob as text into buf; false when absent. */
bool view_text(const json_t *rec, const char *name, char *buf, size_t size);

/* Median with interval (low and high NAN when there are too few samples); false when the metric is
 * absent. */
bool view_summary(const json_t *rec, const char *metric, struct interval *out);
/* Values of the ok samples, in their order; the caller frees *out. */
size_t view_samples(const json_t *rec, const char *metric, double **out);
/* Number of ok samples. */
size_t view_n(const json_t *rec);
/* A histogram summed over the ok samples; false when none has it. */
bool view_hist(const json_t *rec, const char *name, struct hist *out);
/* Length of one sample's window in ns, or 0 when the record does not tell. */
double view_window_ns(const json_t *rec, const json_t *sample);
/* What is known of a metric; "exit_cost_ns.cpuid" is a kind of exit_cost_ns. NULL when it is not in
 * the table. */
const struct metric_info *view_metric(const char *name);

/* Numbers inside any object; 0 when absent. */
double view_num(const json_t *obj, const char *key);

#endif
