// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "results/export.h"

/* The members that tell one configuration from another, in every format under the same name. */
static const char *const labels[] = {"workload", "mode", "vmm", "guest", "substrate", "time_base"};

/* ---- json: the record, or {"records": [...]} as `bench run --json` prints several ---- */

static void write_json(json_t *const *rec, size_t n, FILE *out)
{
	json_t *all = json_array(), *doc;

	for (size_t i = 0; i < n; i++)
		json_array_append(all, rec[i]);
	doc = n == 1 ? json_incref(rec[0]) : json_pack("{s:O}", "records", all);
	json_dumpf(doc, out, JSON_INDENT(1) | JSON_SORT_KEYS);
	fputc('\n', out);
	json_decref(doc);
	json_decref(all);
}

/* ---- csv: a row per sample and metric ---- */

static void csv_field(const char *s, FILE *out)
{
	if (!strpbrk(s, ",\"\n\r")) {
		fputs(s, out);
		return;
	}
	fputc('"', out);
	for (; *s; s++) {
		if (*s == '"')
			fputc('"', out);
		fputc(*s, out);
	}
	fputc('"', out);
}

static void csv_row(const json_t *rec, const char *knobs, size_t sample, const char *metric,
		    const char *value, FILE *out)
{
	const struct metric_info *info = metric_find(metric);

	csv_field(record_str(rec, "id"), out);
	fprintf(out, ",%s,", record_str(rec, "started"));
	for (size_t i = 0; i < ARRAY_SIZE(labels); i++) {
		csv_field(record_str(rec, labels[i]), out);
		fputc(',', out);
	}
	csv_field(knobs, out);
	fprintf(out, ",%zu,%s,%s,%s\n", sample, metric, value, info ? info->unit : "");
}

static void csv_record(const json_t *rec, FILE *out)
{
	char *knobs = record_knobs(rec);
	json_t *sample, *v;
	const char *metric;
	size_t i;

	json_array_foreach (json_object_get(rec, "samples"), i, sample) {
		char value[32];

		/* A failed sample is a row without a value, so that nobody counts it as absent or
		 * as zero. */
		if (!json_is_true(json_object_get(sample, "ok"))) {
			csv_row(rec, knobs, i, "failed", "", out);
			continue;
		}
		json_object_foreach (json_object_get(sample, "metrics"), metric, v) {
			snprintf(value, sizeof(value), "%.17g", json_number_value(v));
			csv_row(rec, knobs, i, metric, value, out);
		}
	}
	free(knobs);
}

static void write_csv(json_t *const *rec, size_t n, FILE *out)
{
	fputs("run,started,workload,mode,vmm,guest,substrate,time_base,knobs,sample,metric,value,unit\n",
	      out);
	for (size_t i = 0; i < n; i++)
		csv_record(rec[i], out);
}

/* ---- openmetrics ---- */

static void label_value(const char *s, FILE *out)
{
	for (; *s; s++) {
		if (*s == '\n') {
			fputs("\\n", out);
			continue;
		}
		if (*s == '\\' || *s == '"')
			fputc('\\', out);
		fputc(*s, out);
	}
}

/* Its names know no dot: exit_cost_ns.cpuid is exitlab_exit_cost_ns_cpuid. */
static void family_name(const char *metric, FILE *out)
{
	fputs("exitlab_", out);
	for (; *metric; metric++)
		fputc(isalnum((unsigned char)*metric) ? *metric : '_', out);
}

static double started_seconds(const json_t *rec)
{
	struct tm tm = {0};

	return strptime(record_str(rec, "started"), "%Y-%m-%dT%H:%M:%SZ", &tm) ? (double)timegm(&tm)
									       : NAN;
}

static void openmetrics_point(const json_t *rec, const char *metric, const char *stat, FILE *out)
{
	const json_t *v =
		json_object_get(json_object_get(json_object_get(rec, "summary"), metric), stat);
	double at = started_seconds(rec);
	char *knobs;

	if (!json_is_number(v))
		return;
	knobs = record_knobs(rec);
	family_name(metric, out);
	fputs("{run=\"", out);
	label_value(record_str(rec, "id"), out);
	for (size_t i = 0; i < ARRAY_SIZE(labels); i++) {
		fprintf(out, "\",%s=\"", labels[i]);
		label_value(record_str(rec, labels[i]), out);
	}
	fputs("\",knobs=\"", out);
	label_value(knobs, out);
	fprintf(out, "\",stat=\"%s\"} %.17g", stat, json_number_value(v));
	if (!isnan(at))
		fprintf(out, " %.0f", at);
	fputc('\n', out);
	free(knobs);
}

/* All points of one family must stand together. */
static void write_openmetrics(json_t *const *rec, size_t n, FILE *out)
{
	static const char *const stats[] = {"median", "ci_low", "ci_high"};
	json_t *families = json_object(), *v;
	const char *metric;

	for (size_t i = 0; i < n; i++)
		json_object_update_missing(families, json_object_get(rec[i], "summary"));
	json_object_foreach (families, metric, v) {
		const struct metric_info *info = metric_find(metric);

		fputs("# TYPE ", out);
		family_name(metric, out);
		fputs(" gauge\n", out);
		if (info) {
			fputs("# HELP ", out);
			family_name(metric, out);
			fprintf(out, " %s (%s)\n", info->text, info->unit);
		}
		for (size_t i = 0; i < n; i++)
			for (size_t k = 0; k < ARRAY_SIZE(stats); k++)
				openmetrics_point(rec[i], metric, stats[k], out);
	}
	fputs("# EOF\n", out);
	json_decref(families);
}

/* ---- bmf: Bencher's benchmark -> measure -> value ---- */

static json_t *bmf_measures(const json_t *rec)
{
	json_t *measures = json_object(), *m;
	const char *metric;

	json_object_foreach (json_object_get(rec, "summary"), metric, m) {
		json_t *low = json_object_get(m, "ci_low"), *high = json_object_get(m, "ci_high");
		json_t *value = json_pack("{s:O}", "value", json_object_get(m, "median"));

		if (json_is_number(low) && json_is_number(high)) {
			json_object_set(value, "lower_value", low);
			json_object_set(value, "upper_value", high);
		}
		json_object_set_new(measures, metric, value);
	}
	return measures;
}

static void write_bmf(json_t *const *rec, size_t n, FILE *out)
{
	json_t *all = json_object();

	for (size_t i = 0; i < n; i++) {
		char *series = record_series(rec[i]);

		json_object_set_new(all, series, bmf_measures(rec[i]));
		free(series);
	}
	json_dumpf(all, out, JSON_INDENT(1) | JSON_SORT_KEYS);
	fputc('\n', out);
	json_decref(all);
}

const struct export_format export_formats[] = {
	{"json", "the record itself; several as {\"records\": [...]}", write_json},
	{"csv", "one row per sample and metric", write_csv},
	{"openmetrics", "medians and intervals for Prometheus", write_openmetrics},
	{"bmf", "Bencher Metric Format; the last run of each series", write_bmf},
	{NULL, NULL, NULL},
};

const struct export_format *export_find(const char *name)
{
	for (const struct export_format *f = export_formats; f->name; f++)
		if (!strcmp(f->name, name))
			return f;
	return NULL;
}
