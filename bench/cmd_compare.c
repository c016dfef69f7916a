// SPDX-License-Identifier: MIT
/* bench compare: two runs, metric by metric. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/compare.h"
#include "base/escape.h"
#include "base/table.h"
#include "bench/bench.h"
#include "bench/cli/compare_plan.h"
#include "bench/cli/runs.h"

struct compare_args {
	const char *store;
	struct opt_list metric;
	uint64_t seed;
	bool force, json, plan;
};

static const struct opt compare_opts[] = {
	{"metric", 'm', OPT_LIST, offsetof(struct compare_args, metric), "NAME",
	 "only this one, tested alone (may be given several times)"},
	{"force", 'f', OPT_FLAG, offsetof(struct compare_args, force), NULL,
	 "across substrates, workloads or kernels all the same"},
	{"plan", 'p', OPT_FLAG, offsetof(struct compare_args, plan), NULL,
	 "all runs of both plans, paired by configuration, a line per metric"},
	{"seed", 0, OPT_U64, offsetof(struct compare_args, seed), "N",
	 "of the bootstrap (default 1)"},
	{"json", 'j', OPT_FLAG, offsetof(struct compare_args, json), NULL, "rows as JSON"},
	{"store", 0, OPT_STR, offsetof(struct compare_args, store), "DIR", "look there for runs"},
	OPT_END,
};

/* ---- table ---- */

/* "+4.8 %", "-23 %", "x 3.21" beyond a factor of two; a plain difference when there is no ratio. */
static void change_text(char *buf, size_t size, const struct compare_row *r, double v)
{
	if (isnan(v))
		snprintf(buf, size, "-");
	else if (!r->is_ratio)
		snprintf(buf, size, "%s%s", text_if(v > 0, "+"), metric_text(r->metric, v));
	else if (v > 2 || v < 0.5)
		snprintf(buf, size, "x %.3g", v);
	else
		snprintf(buf, size, "%+.*f %%", fabs(v - 1) < 0.0995 ? 2 : 1, 100 * (v - 1));
}

static void print_row(struct table *t, const struct compare_row *r)
{
	char point[32], low[32], high[32];

	change_text(point, sizeof(point), r, r->effect.point);
	change_text(low, sizeof(low), r, r->effect.low);
	change_text(high, sizeof(high), r, r->effect.high);
	table_cell(t, "%s", r->metric);
	table_cell(t, "%s", metric_text(r->metric, r->base));
	table_cell(t, "%s", metric_text(r->metric, r->changed));
	table_cell(t, "%s", r->verdict == VERDICT_EQUAL ? "0" : point);
	if (r->exact)
		table_cell(t, "exact");
	else if (isnan(r->effect.low))
		table_cell(t, "-");
	else
		table_cell(t, "%s to %s", low, high);
	if (isnan(r->detectable) || r->exact)
		table_cell(t, "-");
	else if (isinf(r->detectable))
		table_cell(t, "none");
	else if (r->detectable > 2)
		table_cell(t, "x %.3g", r->detectable);
	else
		table_cell(t, "%.*f %%", r->detectable < 1.0995 ? 2 : 1, 100 * (r->detectable - 1));
	table_cell(t, "%s%s", verdict_text(r->verdict), text_if(r->bimodal, " (two modes)"));
}

static void print_table(const struct compare_row *rows, size_t n)
{
	struct table *t = table_new(7, "metric:", ":base", ":new", ":change", ":95 % interval",
				    ":detectable", "verdict:");

	for (size_t i = 0; i < n; i++)
		print_row(t, &rows[i]);
	table_print(t, stdout);
}

/* How many metrics were tested together, and what that asks of the boots. */
static void print_family(const struct compare_row *rows, size_t n)
{
	size_t tested[FAMILY_PARTS] = {0}, too_many = 0;

	if (rows[0].exact) {
		printf("\nIn virtual time any difference is a change.\n");
		return;
	}
	for (size_t i = 0; i < n; i++) {
		tested[rows[i].test.part] += !isnan(rows[i].test.cut);
		too_many += rows[i].verdict == VERDICT_TOO_MANY;
	}
	printf("\nchange: ratio of medians, bootstrapped over boots; detectable: found in 4 of 5 repetitions with as many boots "
	       "and metrics;\na verdict needs the interval and a rank test at a false discovery rate of 5 %% over the metrics: "
	       "%zu of the\nworkload's headline, %zu others, and %zu without a direction by themselves.\n",
	       tested[FAMILY_HEADLINE], tested[FAMILY_OTHER], tested[FAMILY_ASIDE]);
	if (too_many)
		printf("%zu metrics could not have passed whatever had happened: take more boots, or name those that matter with "
		       "--metric.\n", too_many);
}

static void print_side(const char *word, const json_t *rec)
{
	struct record r = record_of(rec);

	print_plain(stdout, "%s  %s  %s%s%s  %s, %s  %s\n", word, r.id, r.workload, text_if(*r.mode, " "),
		    r.mode, r.vmm, r.substrate, r.started);
}

static void print_differences(const struct compare_difference *d, size_t n)
{
	if (!n)
		return;
	printf("what differs:\n");
	for (size_t i = 0; i < n; i++)
		print_plain(stdout, "  %s: %.48s -> %.48s%s\n", d[i].what, d[i].base, d[i].changed,
			   text_if(d[i].blocking, " (forced)"));
	if (d[0].blocking)
		printf("Compared by force: across what is marked so, numbers say nothing about a change.\n");
}

static void print_text(const json_t *base, const json_t *changed, const struct compare_row *rows,
		       size_t n, const struct compare_difference *d, size_t nd)
{
	print_side("base", base);
	print_side("new ", changed);
	print_differences(d, nd);
	printf("\n");
	print_table(rows, n);
	print_family(rows, n);
}

/* ---- json ---- */

static json_t *row_json(const struct compare_row *r)
{
	static const char *const verdict[] = {"better",	     "worse", "changed",
					      "no_evidence", "equal", "too_few", "too_many_metrics"};
	static const char *const family[] = {"headline", "other", "aside"};

	return json_pack("{s:s,s:o,s:o,s:s,s:o,s:o,s:o,s:i,s:o,s:o,s:s,s:o,s:b,s:b,s:s}", "metric",
			 r->metric, "base", json_real_or_null(r->base), "new",
			 json_real_or_null(r->changed), "effect", r->is_ratio ? "ratio" : "difference",
			 "point", json_real_or_null(r->effect.point), "ci_low",
			 json_real_or_null(r->effect.low), "ci_high", json_real_or_null(r->effect.high),
			 "n", (int)r->effect.n, "p_adjusted", json_real_or_null(r->test.adjusted),
			 "p_alone", json_real_or_null(r->test.cut), "family", family[r->test.part],
			 "detectable_ratio", json_real_or_null(r->detectable), "exact", r->exact,
			 "bimodal", r->bimodal, "verdict", verdict[r->verdict]);
}

static void print_json(const json_t *base, const json_t *changed, const struct compare_row *rows,
		       size_t n, const struct compare_difference *d, size_t nd)
{
	json_t *list = json_array(), *differ = json_array(), *doc;

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, row_json(&rows[i]));
	for (size_t i = 0; i < nd; i++)
		json_array_append_new(differ, json_pack("{s:s,s:s,s:s,s:b}", "what", d[i].what,
							"base", d[i].base, "new", d[i].changed,
							"blocking", d[i].blocking));
	doc = json_pack("{s:s,s:s,s:o,s:o}", "base", record_of(base).id, "new",
			record_of(changed).id, "differences", differ, "rows", list);
	json_print(doc, stdout, JSON_INDENT(1));
	json_decref(doc);
}

/* ---- command ---- */

static bool refused(const json_t *changed, const struct compare_difference *d, size_t n)
{
	char *what = compare_blocking(d, n);
	bool blocked = what;

	if (blocked)
		log_error(
			"compare: %s: %s; across these the numbers say nothing about a change, "
			"--force compares all the same",
			record_of(changed).id, what);
	free(what);
	return blocked;
}

static int compare_two(const json_t *base, const json_t *changed, const struct compare_args *a)
{
	const char **metrics = xcalloc(a->metric.n + 1, sizeof(*metrics));
	struct compare_opts opts = {a->seed, runs_headline(base), NULL};
	struct compare_difference *d;
	struct compare_row *rows = NULL;
	size_t nd = compare_differences(base, changed, &d), n;
	int status = EXIT_OK;

	for (size_t i = 0; i < a->metric.n; i++)
		metrics[i] = a->metric.item[i];
	if (a->metric.n)
		opts.metrics = metrics;
	if (!a->force && refused(changed, d, nd)) {
		status = EXIT_CANNOT;
		goto out;
	}
	n = compare_records(base, changed, &opts, &rows);
	if (!n) {
		log_error("compare: %s and %s have no %smetric in common", record_of(base).id,
			  record_of(changed).id, text_if(a->metric.n, "such "));
		status = EXIT_CANNOT;
		goto out;
	}
	if (a->json)
		print_json(base, changed, rows, n, d, nd);
	else
		print_text(base, changed, rows, n, d, nd);
out:
	free(metrics);
	free(rows);
	compare_differences_free(d, nd);
	return status;
}

static int compare_their_plans(const struct compare_args *a, const struct fig_set *set)
{
	struct store *store;
	int status;

	if (store_open(&store, a->store))
		return EXIT_CANNOT;
	status = compare_plans(store, set->rec[0], set->rec[1], a->force);
	store_close(store);
	return status;
}

static int compare_main(int argc, char **argv)
{
	struct compare_args a = {.seed = 1};
	struct fig_set set;
	int status;

	if (!bench_parse(&cmd_compare, &argc, argv, &a, &status))
		return status;
	if (argc != 3) {
		log_error("compare: expected BASE NEW; see bench list runs");
		return EXIT_USAGE;
	}
	if (runs_load(a.store, argc, argv, &set))
		return EXIT_CANNOT;
	if (a.plan)
		status = compare_their_plans(&a, &set);
	else
		status = compare_two(set.rec[0], set.rec[1], &a);
	runs_free(&set);
	return status;
}

const struct command cmd_compare = {
	.name = "compare",
	.args = "BASE NEW",
	.summary = "two runs metric by metric: effect, interval, verdict, and what could have been "
		   "seen",
	.details =
		"Refuses runs on different substrates, workloads, guests or kernels, since their "
		"difference says nothing\n"
		"about the change in question. Runs in virtual time (--deterministic) are "
		"compared exactly.",
	.examples = "bench compare last~1 last\nbench compare 20260314-092653 last "
		    "--metric=throughput_bps --json",
	.opts = compare_opts,
	.run = compare_main,
};
