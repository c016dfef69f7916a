// SPDX-License-Identifier: MIT
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/stats.h"
#include "base/table.h"
#include "bench/bench.h"
#include "bench/cli/runs.h"

struct show_args {
	const char *store;
	bool json, samples, inputs, all;
};

static const struct opt show_opts[] = {
	{"json", 'j', OPT_FLAG, offsetof(struct show_args, json), NULL, "the record itself"},
	{"samples", 's', OPT_FLAG, offsetof(struct show_args, samples), NULL,
	 "every boot's values"},
	{"inputs", 'i', OPT_FLAG, offsetof(struct show_args, inputs), NULL,
	 "binaries and images with their SHA-256"},
	{"all", 'a', OPT_FLAG, offsetof(struct show_args, all), NULL,
	 "every exit reason, not only the ten dearest"},
	{"store", 0, OPT_STR, offsetof(struct show_args, store), "DIR", "look there for runs"},
	OPT_END,
};

static double number(const json_t *obj, const char *key)
{
	return json_number_value(json_object_get(obj, key));
}

static bool ends_in(const char *key, const char *end)
{
	size_t len = strlen(key);

	return len > strlen(end) && !strcmp(key + len - strlen(end), end);
}

static bool has_unit(const char *key)
{
	return ends_in(key, "_ns") || ends_in(key, "_bytes");
}

/* As one would type it; what was left alone (0, false, "") is not worth a word. */
static char *setting_text(const char *key, const json_t *v)
{
	if (json_is_string(v))
		return *json_string_value(v) ? xstrdup(json_string_value(v)) : NULL;
	if (json_is_false(v) || (json_is_number(v) && json_number_value(v) == 0))
		return NULL;
	if (ends_in(key, "_ns"))
		return xstrdup(fmt_ns(json_number_value(v)));
	if (ends_in(key, "_bytes"))
		return xasprintf("%.0fM", json_number_value(v) / (double)MIB);
	return json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
}

static void print_pairs(const char *title, const json_t *obj)
{
	const char *key, *sep = title;
	json_t *v;

	json_object_foreach ((json_t *)obj, key, v) {
		char *text = setting_text(key, v);

		if (!text)
			continue;
		/* Its unit is in the value now. */
		printf("%s %.*s=%s", sep,
		       (int)(has_unit(key) ? strrchr(key, '_') - key : (long)strlen(key)), key, text);
		sep = ",";
		free(text);
	}
	if (sep != title)
		printf("\n");
}

static void print_head(const json_t *rec)
{
	const char *mode = record_str(rec, "mode"), *vmm = record_str(rec, "vmm");

	printf("%s  %s%s%s%s%s  %s\n", record_str(rec, "id"), record_str(rec, "workload"),
	       *mode ? " " : "", mode, *vmm ? " in " : "", vmm, record_str(rec, "started"));
	printf("guest %s, substrate %s, times %s\n", record_str(rec, "guest"),
	       record_str(rec, "substrate"), record_str(rec, "time_base"));
	print_pairs("knobs:", json_object_get(rec, "knobs"));
	print_pairs("parameters:", json_object_get(rec, "params"));
}

static void metric_row(struct table *t, const json_t *rec, const char *name, const json_t *m)
{
	double median = number(m, "median"), spread, *x;
	const struct metric_info *info = metric_find(name);
	size_t n;

	table_cell(t, "%s", name);
	table_cell(t, "%s", metric_text(name, median));
	if (json_is_number(json_object_get(m, "ci_low")))
		table_cell(t, "%s to %s", metric_text(name, number(m, "ci_low")),
			   metric_text(name, number(m, "ci_high")));
	else
		table_cell(t, "too few boots");
	x = record_values(rec, name, &n);
	spread = n > 1 && median ? 100 * 1.4826 * stats_mad(x, n) / fabs(median) : NAN;
	if (!isnan(spread))
		table_cell(t, spread < 10 ? "%.2g %%" : "%.0f %%", spread);
	else
		table_cell(t, "-");
	table_cell(t, "%zu", n);
	table_cell(t, "%s%s", info ? info->unit : "",
		   stats_bimodal(x, n) ? "  two modes: the median may name neither" : "");
	free(x);
}

static void print_metrics(const json_t *rec)
{
	json_t *summary = json_object_get(rec, "summary"), *m;
	struct table *t;
	const char *name;

	if (!json_object_size(summary))
		return;
	t = table_new(6, "metric:", ":median", ":95 % interval", ":spread", ":n", "unit:");
	json_object_foreach (summary, name, m)
		metric_row(t, rec, name, m);
	printf("\n");
	table_print(t, stdout);
}

static void print_samples(const json_t *rec)
{
	json_t *summary = json_object_get(rec, "summary"),
	       *samples = json_object_get(rec, "samples"), *m, *s;
	struct table *t = table_new(3, "metric:", ":boot", ":value");
	const char *name;
	size_t i;

	json_object_foreach (summary, name, m) {
		json_array_foreach (samples, i, s) {
			json_t *v = json_object_get(json_object_get(s, "metrics"), name);

			table_cell(t, "%s", i ? "" : name);
			table_cell(t, "%zu", i + 1);
			if (json_is_true(json_object_get(s, "ok")) && json_is_number(v))
				table_cell(t, "%.10g", json_number_value(v));
			else
				table_cell(t, "%s",
					   json_is_true(json_object_get(s, "ok")) ? "-" : "failed");
		}
	}
	printf("\n");
	table_print(t, stdout);
}

static void print_exits(const json_t *rec, bool all)
{
	json_t *exits = json_object_get(rec, "exits"), *e;
	size_t n = json_array_size(exits), shown = all ? n : MIN(n, 10), i;
	struct table *t;

	if (!n)
		return;
	t = table_new(8, "exit:", "key:", "device:", ":per boot", ":time", ":p50", ":p99", ":in KVM");
	json_array_foreach (exits, i, e) {
		if (i == shown)
			break;
		table_cell(t, "%s", record_str(e, "reason"));
		table_cell(t, "%s", record_str(e, "key"));
		table_cell(t, "%s", record_str(e, "device"));
		table_cell(t, "%s", fmt_si(number(e, "count")));
		for (size_t k = 0; k < 4; k++) {
			static const char *const key[] = {"total_ns", "p50_ns", "p99_ns", "kvm_ns"};
			const json_t *v = json_object_get(e, key[k]);

			/* A time that nothing was spent in, or that was not seen, is a dash. */
			table_cell(t, "%s", json_number_value(v) > 0 ? fmt_ns(json_number_value(v)) : "-");
		}
	}
	printf("\n");
	table_print(t, stdout);
	if (shown < n)
		printf("and %zu more; --all shows them\n", n - shown);
}

static void print_failures(const json_t *rec)
{
	json_t *v, *tag;
	size_t i, k;

	json_array_foreach (json_object_get(rec, "samples"), i, v) {
		if (!json_is_true(json_object_get(v, "ok")))
			printf("boot %zu FAILED: %s\n", i + 1, record_str(v, "error"));
		json_array_foreach (json_object_get(v, "tags"), k, tag)
			if (json_is_string(tag))
				printf("boot %zu: %s\n", i + 1, json_string_value(tag));
	}
	json_array_foreach (json_object_get(rec, "checks"), i, v)
		printf("check %s: %s%s%s\n", record_str(v, "name"),
		       json_is_true(json_object_get(v, "ok")) ? "ok" : "FAILED",
		       *record_str(v, "detail") ? ", " : "", record_str(v, "detail"));
}

static void print_inputs(const json_t *rec)
{
	struct table *t = table_new(4, "input:", "build:", "sha256:", "path:");
	json_t *v;
	size_t i;

	json_array_foreach (json_object_get(rec, "inputs"), i, v) {
		table_cell(t, "%s", record_str(v, "name"));
		table_cell(t, "%s", record_str(v, "build"));
		table_cell(t, "%.16s", record_str(v, "sha256"));
		table_cell(t, "%s", record_str(v, "path"));
	}
	printf("\n");
	table_print(t, stdout);
}

static void show(const json_t *rec, const struct show_args *a)
{
	print_head(rec);
	print_metrics(rec);
	if (a->samples)
		print_samples(rec);
	print_exits(rec, a->all);
	if (json_array_size(json_object_get(rec, "checks")) ||
	    !json_is_true(json_object_get(rec, "ok")))
		printf("\n");
	print_failures(rec);
	if (a->inputs)
		print_inputs(rec);
}

static void print_json(const struct fig_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		json_dumpf(set->rec[i], stdout, JSON_INDENT(1) | JSON_SORT_KEYS);
		putchar('\n');
	}
}

static int show_main(int argc, char **argv)
{
	static char last[] = "last";
	char *newest[] = {argv[0], last, NULL};
	struct show_args a = {0};
	struct fig_set set;
	int status;

	if (!bench_parse(&cmd_show, &argc, argv, &a, &status))
		return status;
	if (runs_load(a.store, MAX(argc, 2), argc > 1 ? argv : newest, &set))
		return EXIT_CANNOT;
	if (a.json)
		print_json(&set);
	for (size_t i = 0; !a.json && i < set.n; i++) {
		if (i)
			printf("\n");
		show(set.rec[i], &a);
	}
	runs_free(&set);
	return EXIT_OK;
}

const struct command cmd_show = {
	.name = "show",
	.args = "[RUN...]",
	.summary = "what a stored run measured",
	.details =
		"RUN is an ID or the beginning of one, last, last~2 (the second before it), or a "
		"path to a run directory\n"
		"or record.json. Without RUN: the last. Spread is 1.4826 times the median "
		"absolute deviation, relative.",
	.examples = "bench show\nbench show last~1 --samples\nbench show 20260314-0926 --json | jq "
		    ".summary",
	.opts = show_opts,
	.run = show_main,
};
