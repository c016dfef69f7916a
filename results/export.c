// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/escape.h"
#include "results/export.h"

/* What tells one configuration from another, in every format under the same name. */
static const char *const label_names[] = {"workload", "mode", "vmm", "guest", "substrate", "time_base"};
#define LABELS ARRAY_SIZE(label_names)

static void read_labels(const struct record *r, const char *label[LABELS])
{
	const char *const values[] = {r->workload, r->mode, r->vmm, r->guest, r->substrate, r->time_base};

	memcpy(label, values, sizeof(values));
}

/* ---- json: the record, or {"records": [...]} as `bench run --json` prints several ---- */

static void write_json(json_t *const *rec, size_t n, FILE *out)
{
	json_t *all = json_pack("{s:[]}", "records"), *doc = all;

	for (size_t i = 0; i < n; i++)
		json_array_append(json_object_get(all, "records"), rec[i]);
	if (n == 1)
		doc = rec[0];
	json_print(doc, out, JSON_INDENT(1) | JSON_SORT_KEYS);
	json_decref(all);
}

/* ---- csv: a row per sample and metric ---- */

static void csv_field(const char *s, FILE *out)
{
	print_escaped(out, LANGUAGE_CSV, s);
	fputc(',', out);
}

struct csv_run {
	struct record r;
	char *knobs;
	FILE *out;
};

static void csv_row(const struct csv_run *run, size_t sample, const char *metric, const char *value)
{
	const struct metric_info *info = metric_find(metric);
	const char *label[LABELS];

	read_labels(&run->r, label);
	csv_field(run->r.id, run->out);
	csv_field(run->r.started, run->out);
	for (size_t i = 0; i < LABELS; i++)
		csv_field(label[i], run->out);
	csv_field(run->knobs, run->out);
	fprintf(run->out, "%zu,", sample);
	csv_field(metric, run->out);
	fprintf(run->out, "%s,%s\n", value, info ? info->unit : "");
}

static void csv_record(const json_t *rec, FILE *out)
{
	struct csv_run run = {record_of(rec), record_knobs(rec), out};
	struct record_sample s;
	const char *metric;
	json_t *v;

	for (size_t i = 0; record_sample(run.r.samples, i, &s); i++) {
		char value[32];

		/* A failed sample is a row without a value, so that nobody counts it as absent or
		 * as zero. */
		if (!s.ok) {
			csv_row(&run, i, "failed", "");
			continue;
		}
		json_object_foreach (s.metrics, metric, v) {
			snprintf(value, sizeof(value), "%.17g", json_number_value(v));
			csv_row(&run, i, metric, value);
		}
	}
	free(run.knobs);
}

static void write_csv(json_t *const *rec, size_t n, FILE *out)
{
	fputs("run,started,workload,mode,vmm,guest,substrate,time_base,knobs,sample,metric,value,unit\n",
	      out);
	for (size_t i = 0; i < n; i++)
		csv_record(rec[i], out);
}

/* ---- openmetrics ---- */


/* Its names know no dot: exit_cost_ns.cpuid is exitlab_exit_cost_ns_cpuid. */
static void family_name(const char *metric, FILE *out)
{
	fputs("exitlab_", out);
	for (; *metric; metric++)
		fputc(isalnum((unsigned char)*metric) ? *metric : '_', out);
}

static double started_seconds(const struct record *r)
{
	struct tm tm = {0};

	if (!strptime(r->started, "%Y-%m-%dT%H:%M:%SZ", &tm))
		return NAN;
	return (double)timegm(&tm);
}

static void openmetrics_point(const json_t *rec, const char *metric, const char *stat, double value,
			      FILE *out)
{
	struct record r = record_of(rec);
	const char *label[LABELS];
	char *knobs;
	double at = started_seconds(&r);

	if (isnan(value))
		return;
	knobs = record_knobs(rec);
	read_labels(&r, label);
	family_name(metric, out);
	fputs("{run=\"", out);
	print_escaped(out, LANGUAGE_OPENMETRICS, r.id);
	for (size_t i = 0; i < LABELS; i++) {
		fprintf(out, "\",%s=\"", label_names[i]);
		print_escaped(out, LANGUAGE_OPENMETRICS, label[i]);
	}
	fputs("\",knobs=\"", out);
	print_escaped(out, LANGUAGE_OPENMETRICS, knobs);
	fprintf(out, "\",stat=\"%s\"} %.17g", stat, value);
	if (!isnan(at))
		fprintf(out, " %.0f", at);
	fputc('\n', out);
	free(knobs);
}

static void family_head(const char *metric, FILE *out)
{
	const struct metric_info *info = metric_find(metric);

	fputs("# TYPE ", out);
	family_name(metric, out);
	fputs(" gauge\n", out);
	if (!info)
		return;
	fputs("# HELP ", out);
	family_name(metric, out);
	fprintf(out, " %s (%s)\n", info->text, info->unit);
}

/* All points of one family must stand together. */
static void write_openmetrics(json_t *const *rec, size_t n, FILE *out)
{
	json_t *families = json_object(), *v;
	const char *metric;
	struct interval iv;

	for (size_t i = 0; i < n; i++)
		json_object_update_missing(families, record_of(rec[i]).summary);
	json_object_foreach (families, metric, v) {
		family_head(metric, out);
		for (size_t i = 0; i < n; i++) {
			if (!record_summary(rec[i], metric, &iv))
				continue;
			openmetrics_point(rec[i], metric, "median", iv.point, out);
			openmetrics_point(rec[i], metric, "ci_low", iv.low, out);
			openmetrics_point(rec[i], metric, "ci_high", iv.high, out);
		}
	}
	fputs("# EOF\n", out);
	json_decref(families);
}

/* ---- bmf: Bencher's benchmark -> measure -> value ---- */

static json_t *bmf_measures(const json_t *rec)
{
	json_t *measures = json_object();
	struct interval iv;
	const char *metric;

	for (void *at = NULL; record_next_metric(rec, &at, &metric, &iv);) {
		json_t *value = json_pack("{s:f}", "value", iv.point);

		if (!isnan(iv.low) && !isnan(iv.high)) {
			json_object_set_new(value, "lower_value", json_real(iv.low));
			json_object_set_new(value, "upper_value", json_real(iv.high));
		}
		json_object_set_new(measures, metric, value);
	}
	return measures;
}

static void write_bmf(json_t *const *rec, size_t n, FILE *out)
{
	json_t *all = json_object();

	for (size_t i = 0; i < n; i++) {
		char *series = record_config(rec[i]);

		json_object_set_new(all, series, bmf_measures(rec[i]));
		free(series);
	}
	json_print(all, out, JSON_INDENT(1) | JSON_SORT_KEYS);
	json_decref(all);
}

/* ---- what test systems read: a case for each run, and its medians ---- */

/* A name of a test case, which a shell, LAVA and KTAP take as one word. */
static void case_name(const char *text, FILE *out)
{
	for (; *text; text++)
		fputc(isalnum((unsigned char)*text) || strchr("_.-", *text) ? *text : '_', out);
}

static void write_ktap(json_t *const *rec, size_t n, FILE *out)
{
	fprintf(out, "KTAP version 1\n1..%zu\n", n);
	for (size_t i = 0; i < n; i++) {
		char *series = record_config(rec[i]);
		struct interval iv;
		const char *metric;

		for (void *at = NULL; record_next_metric(rec[i], &at, &metric, &iv);) {
			fputs("# ", out);
			case_name(metric, out);
			fprintf(out, " %.17g\n", iv.point);
		}
		fprintf(out, "%s %zu ", record_of(rec[i]).ok ? "ok" : "not ok", i + 1);
		case_name(series, out);
		fputc('\n', out);
		free(series);
	}
}

static void lava_case(const char *series, const char *metric, bool ok, FILE *out)
{
	fputs("lava-test-case ", out);
	case_name(series, out);
	if (*metric)
		fputc('.', out);
	case_name(metric, out);
	fprintf(out, " --result %s", ok ? "pass" : "fail");
}

/* Commands for a job's shell. */
static void write_lava(json_t *const *rec, size_t n, FILE *out)
{
	for (size_t i = 0; i < n; i++) {
		char *series = record_config(rec[i]);
		struct interval iv;
		const char *metric;

		lava_case(series, "", record_of(rec[i]).ok, out);
		fputc('\n', out);
		for (void *at = NULL; record_next_metric(rec[i], &at, &metric, &iv);) {
			const struct metric_info *info = metric_find(metric);

			lava_case(series, metric, true, out);
			fprintf(out, " --measurement %.17g", iv.point);
			if (info)
				fprintf(out, " --units '%s'", info->unit);
			fputc('\n', out);
		}
		free(series);
	}
}

const struct export_format export_formats[] = {
	{"json", "the record itself; several as {\"records\": [...]}", write_json},
	{"csv", "one row per sample and metric", write_csv},
	{"openmetrics", "medians and intervals for Prometheus", write_openmetrics},
	{"bmf", "Bencher Metric Format; the last run of each series", write_bmf},
	{"ktap", "a line for each run, its medians before it; as the kernel's tests say it", write_ktap},
	{"lava", "lava-test-case commands, for a LAVA job's shell: bench export last --format=lava | sh", write_lava},
	{"kcidb", "KCIDB's report, schema 5.0, for kcidb-submit", export_kcidb},
	{NULL, NULL, NULL},
};

const struct export_format *export_find(const char *name)
{
	for (const struct export_format *f = export_formats; f->name; f++)
		if (!strcmp(f->name, name))
			return f;
	return NULL;
}
