// SPDX-License-Identifier: MIT
/* `bench show`: what a stored run measured, for people or as it is. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/budget.h"
#include "analysis/stats.h"
#include "base/escape.h"
#include "base/table.h"
#include "bench/bench.h"
#include "bench/cli/runs.h"

struct show_args {
	const char *store;
	bool json, samples, inputs, all, budget;
};

static const struct opt show_opts[] = {
	{"json", 'j', OPT_FLAG, offsetof(struct show_args, json), NULL, "the record itself"},
	{"samples", 's', OPT_FLAG, offsetof(struct show_args, samples), NULL,
	 "every boot's values"},
	{"inputs", 'i', OPT_FLAG, offsetof(struct show_args, inputs), NULL,
	 "binaries and images with their SHA-256"},
	{"all", 'a', OPT_FLAG, offsetof(struct show_args, all), NULL,
	 "every exit reason, not only the ten dearest"},
	{"budget", 'b', OPT_FLAG, offsetof(struct show_args, budget), NULL,
	 "where the CPU time of one packet or request goes, and nothing else"},
	{"store", 0, OPT_STR, offsetof(struct show_args, store), "DIR", "look there for runs"},
	OPT_END,
};

static bool ends_in(const char *key, const char *end)
{
	size_t len = strlen(key);

	return len > strlen(end) && !strcmp(key + len - strlen(end), end);
}

static bool has_unit(const char *key)
{
	return ends_in(key, "_ns") || ends_in(key, "_bytes");
}

/* The value as one would type it; NULL for one that was left alone (0, false, ""). */
static char *setting_text(const char *key, const json_t *v)
{
	if (json_is_false(v) || (json_is_number(v) && json_number_value(v) == 0) ||
	    (json_is_string(v) && !*json_string_value(v)))
		return NULL;
	if (json_is_string(v))
		return xstrdup(json_string_value(v));
	if (ends_in(key, "_ns"))
		return xstrdup(fmt_ns(json_number_value(v)));
	if (ends_in(key, "_bytes"))
		return xasprintf("%.0fM", json_number_value(v) / (double)MIB);
	return json_text(v);
}

static void print_pairs(const char *title, const json_t *obj)
{
	const char *key, *sep = title;
	size_t len;
	json_t *v;

	json_object_foreach ((json_t *)obj, key, v) {
		char *text = setting_text(key, v);

		if (!text)
			continue;
		len = strlen(key);
		if (has_unit(key)) /* which is in the value now */
			len = (size_t)(strrchr(key, '_') - key);
		print_plain(stdout, "%s %.*s=%s", sep, (int)len, key, text);
		sep = ",";
		free(text);
	}
	if (sep != title)
		printf("\n");
}

static void print_head(const struct record *r)
{
	print_plain(stdout, "%s  %s%s%s%s%s  %s\n", r->id, r->workload, text_if(*r->mode, " "), r->mode,
		   text_if(*r->vmm, " in "), r->vmm, r->started);
	print_plain(stdout, "guest %s, substrate %s, times %s\n", r->guest, r->substrate, r->time_base);
	print_pairs("knobs:", r->knobs);
	print_pairs("parameters:", r->params);
}

static void spread_cell(struct table *t, const double *x, size_t n, double median)
{
	double spread = NAN;

	if (n > 1 && median)
		spread = 100 * 1.4826 * stats_mad(x, n) / fabs(median);
	if (isnan(spread))
		table_cell(t, "-");
	else if (spread < 10)
		table_cell(t, "%.2g %%", spread);
	else
		table_cell(t, "%.0f %%", spread);
}

static void metric_row(struct table *t, const json_t *rec, const char *name, const struct interval *iv)
{
	const struct metric_info *info = metric_find(name);
	const char *unit = "";
	size_t n;
	double *x = record_values(rec, name, &n);

	if (info)
		unit = info->unit;
	table_cell(t, "%s", name);
	table_cell(t, "%s", metric_text(name, iv->point));
	if (isnan(iv->low))
		table_cell(t, "too few boots");
	else
		table_cell(t, "%s to %s", metric_text(name, iv->low), metric_text(name, iv->high));
	spread_cell(t, x, n, iv->point);
	table_cell(t, "%zu", n);
	table_cell(t, "%s%s", unit,
		   text_if(stats_bimodal(x, n), "  two modes: the median may name neither"));
	free(x);
}

static void print_metrics(const json_t *rec)
{
	struct interval iv;
	struct table *t;
	const char *name;

	if (!json_object_size(record_of(rec).summary))
		return;
	t = table_new(6, "metric:", ":median", ":95 % interval", ":spread", ":n", "unit:");
	for (void *at = NULL; record_next_metric(rec, &at, &name, &iv);)
		metric_row(t, rec, name, &iv);
	printf("\n");
	table_print(t, stdout);
}

static void print_samples(const json_t *rec)
{
	struct table *t = table_new(3, "metric:", ":boot", ":value");
	const json_t *samples = record_of(rec).samples;
	struct record_sample s;
	struct interval iv;
	const char *name;
	double value;

	for (void *at = NULL; record_next_metric(rec, &at, &name, &iv);) {
		for (size_t i = 0; record_sample(samples, i, &s); i++) {
			table_cell(t, "%s", text_if(!i, name));
			table_cell(t, "%zu", i + 1);
			if (record_value(&s, name, &value))
				table_cell(t, "%.10g", value);
			else
				table_cell(t, "%s", s.ok ? "-" : "failed");
		}
	}
	printf("\n");
	table_print(t, stdout);
}

/* A time that nothing was spent in, or that was not seen, is a dash. */
static void time_cell(struct table *t, double ns)
{
	table_cell(t, "%s", ns > 0 ? fmt_ns(ns) : "-");
}

static void print_exits(const json_t *exits, bool all)
{
	size_t n = json_array_size(exits), shown = n;
	struct record_exit e;
	struct table *t;

	if (!n)
		return;
	if (!all)
		shown = MIN(n, 10);
	t = table_new(11, "exit:", "key:", "device:", ":per boot", ":time", ":p50", ":p99", ":in KVM",
		      ":userspace", ":waiting", ":asleep");
	for (size_t i = 0; i < shown && record_exit(exits, i, &e); i++) {
		table_cell(t, "%s", e.reason);
		table_cell(t, "%s", e.key);
		table_cell(t, "%s", e.device);
		table_cell(t, "%s", fmt_si(e.count));
		time_cell(t, e.total_ns);
		time_cell(t, e.p50_ns);
		time_cell(t, e.p99_ns);
		time_cell(t, e.kvm_fast_ns + e.kvm_ns);
		time_cell(t, e.user_ns);
		time_cell(t, e.wait_ns);
		time_cell(t, e.asleep_ns);
	}
	printf("\n");
	table_print(t, stdout);
	if (shown < n)
		printf("and %zu more; --all shows them\n", n - shown);
}

static void print_failures(const struct record *r)
{
	struct record_sample s;
	struct record_check c;
	const char *tag;

	for (size_t i = 0; record_sample(r->samples, i, &s); i++) {
		if (!s.ok)
			print_plain(stdout, "boot %zu FAILED: %s\n", i + 1, s.error);
		for (size_t k = 0; record_text(s.tags, k, &tag); k++)
			print_plain(stdout, "boot %zu: %s\n", i + 1, tag);
	}
	for (size_t i = 0; record_check(r->checks, i, &c); i++)
		print_plain(stdout, "check %s: %s%s%s\n", c.name, c.ok ? "ok" : "FAILED",
			    text_if(*c.detail, ", "), c.detail);
}

static void print_inputs(const json_t *inputs)
{
	struct table *t = table_new(4, "input:", "build:", "sha256:", "path:");
	struct record_input in;

	for (size_t i = 0; record_input(inputs, i, &in); i++) {
		table_cell(t, "%s", in.name);
		table_cell(t, "%s", in.build);
		table_cell(t, "%.16s", in.sha256);
		table_cell(t, "%s", in.path);
	}
	printf("\n");
	table_print(t, stdout);
}

static void show_record(const json_t *rec, const struct show_args *a)
{
	struct record r = record_of(rec);

	print_head(&r);
	print_metrics(rec);
	if (a->samples)
		print_samples(rec);
	print_exits(r.exits, a->all);
	if (json_array_size(r.checks) || !r.ok)
		printf("\n");
	print_failures(&r);
	if (a->inputs)
		print_inputs(r.inputs);
}

static void budget_line(struct table *t, const struct budget *b, const struct budget_row *r)
{
	table_cell(t, "%s", r->part);
	if (r->times > 0)
		table_cell(t, "%.3g", r->times);
	else
		table_cell(t, "-");
	time_cell(t, r->times > 0 ? r->ns / r->times : 0);
	table_cell(t, "%s", fmt_ns(r->ns));
	table_cell(t, "%.1f %%", 100 * r->ns / b->measured_ns);
}

static void print_budget(const struct budget *b)
{
	char often[16], each[16];
	struct table *t;

	snprintf(often, sizeof(often), ":per %s", b->unit);
	snprintf(each, sizeof(each), ":CPU/%s", b->unit);
	t = table_new(5, "part:", often, ":each", each, ":share");
	for (size_t i = 0; i < b->n; i++)
		budget_line(t, b, &b->row[i]);
	budget_line(t, b, &(struct budget_row){.part = "sum", .ns = b->sum_ns});
	budget_line(t, b, &(struct budget_row){.part = "measured by the scheduler", .ns = b->measured_ns});
	table_print(t, stdout);
	printf("n = %zu boot%s; the rows are %.1f %% %s than the scheduler's account\n", b->boots,
	       text_if(b->boots != 1, "s"), fabs(budget_excess(b)), budget_excess(b) < 0 ? "less" : "more");
	if (b->peer_ns > 0)
		printf("beside it, the peer: %s\n", fmt_ns(b->peer_ns));
}

/* Exit status. */
static int show_budget(const json_t *rec, bool json)
{
	struct record r = record_of(rec);
	struct budget b;

	if (!budget_of(rec, &b)) {
		log_error("%s has no budget: it takes exits, threads and packets or requests of one window; measure, "
			  "say, net-throughput or blk-iops with a mode that has a VM, and without --no-probes", r.id);
		return EXIT_FAILED;
	}
	if (json) {
		json_t *out = budget_json(&b);

		json_object_set_new(out, "run", json_string(r.id));
		json_print(out, stdout, JSON_INDENT(1) | JSON_SORT_KEYS);
		json_decref(out);
		return EXIT_OK;
	}
	print_head(&r);
	printf("\n");
	print_budget(&b);
	return EXIT_OK;
}

static int show_one(const json_t *rec, const struct show_args *a)
{
	if (a->budget)
		return show_budget(rec, a->json);
	if (a->json)
		json_print(rec, stdout, JSON_INDENT(1) | JSON_SORT_KEYS);
	else
		show_record(rec, a);
	return EXIT_OK;
}

static int show_main(int argc, char **argv)
{
	struct show_args a = {0};
	struct fig_set set;
	int status, worst = EXIT_OK;

	if (!bench_parse(&cmd_show, &argc, argv, &a, &status))
		return status;
	if (runs_load_or_newest(a.store, argc, argv, &set))
		return EXIT_CANNOT;
	for (size_t i = 0; i < set.n; i++) {
		if (i && !a.json)
			printf("\n");
		worst = MAX(show_one(set.rec[i], &a), worst);
	}
	runs_free(&set);
	return worst;
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
	.examples = "bench show\nbench show last~1 --samples\nbench show last --budget\nbench show 20260314-0926 --json | jq "
		    ".summary",
	.opts = show_opts,
	.run = show_main,
};
