// SPDX-License-Identifier: MIT
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/compare.h"
#include "base/table.h"
#include "bench/bench.h"
#include "bench/cli/compare_plan.h"
#include "bench/cli/runs.h"

/* One metric over all pairs that have it, with a ratio. */
struct metric_tally {
	char *metric;
	double *base, *changed, *ratio;
	size_t n, better, worse;
};

struct tallies {
	struct metric_tally *v;
	size_t n, pairs;
};

static struct metric_tally *tally_of(struct tallies *t, const char *metric)
{
	for (size_t i = 0; i < t->n; i++)
		if (!strcmp(t->v[i].metric, metric))
			return &t->v[i];
	t->v = xgrow(t->v, t->n, sizeof(*t->v));
	t->v[t->n] = (struct metric_tally){.metric = xstrdup(metric)};
	return &t->v[t->n++];
}

static void append_value(double **v, size_t n, double x)
{
	*v = xgrow(*v, n, sizeof(**v));
	(*v)[n] = x;
}

static void add_row(struct tallies *t, const struct compare_row *r)
{
	struct metric_tally *m;

	if (!r->is_ratio)
		return;
	m = tally_of(t, r->metric);
	append_value(&m->base, m->n, r->base);
	append_value(&m->changed, m->n, r->changed);
	append_value(&m->ratio, m->n++, r->effect.point);
	m->better += r->verdict == VERDICT_BETTER;
	m->worse += r->verdict == VERDICT_WORSE;
}

static bool may_compare(const json_t *base, const json_t *changed, bool force)
{
	struct compare_difference *d;
	size_t n = compare_differences(base, changed, &d);
	char *what = NULL;
	bool blocked;

	if (!force)
		what = compare_blocking(d, n);
	blocked = what;
	if (blocked)
		log_error("compare: %s: %s; --force compares all the same",
			  record_of(changed).id, what);
	free(what);
	compare_differences_free(d, n);
	return !blocked;
}

static int add_pair(struct tallies *t, struct store *s, const char *base_id, const char *id,
		    bool force)
{
	json_t *base = store_load(s, base_id), *changed = store_load(s, id);
	struct compare_row *rows = NULL;
	int status = EXIT_CANNOT;
	size_t n;

	if (base && changed && may_compare(base, changed, force)) {
		const struct compare_opts opts = {.seed = 1, .headline = runs_headline(base)};

		n = compare_records(base, changed, &opts, &rows);
		for (size_t i = 0; i < n; i++)
			add_row(t, &rows[i]);
		t->pairs++;
		status = EXIT_OK;
	}
	free(rows);
	json_decref(base);
	json_decref(changed);
	return status;
}

static bool in_plan(const struct run_row *row, const json_t *rec)
{
	struct record r = record_of(rec);

	if (*r.plan_id)
		return !strcmp(row->plan_id, r.plan_id);
	return !strcmp(row->id, r.id);
}

static int add_pairs(struct tallies *t, struct store *s, const json_t *base, const json_t *changed,
		     bool force)
{
	struct run_row *rows;
	int status = EXIT_OK;
	size_t n;

	if (store_list(s, NULL, &rows, &n))
		return EXIT_CANNOT;
	for (size_t i = 0; i < n && status == EXIT_OK; i++) {
		if (!in_plan(&rows[i], base))
			continue;
		for (size_t k = 0; k < n && status == EXIT_OK; k++)
			if (in_plan(&rows[k], changed) && !strcmp(rows[i].series, rows[k].series))
				status = add_pair(t, s, rows[i].id, rows[k].id, force);
	}
	run_rows_free(rows, n);
	return status;
}

static bool is_rate(const char *metric)
{
	const struct metric_info *info = metric_find(metric);

	return info && strstr(info->unit, "/s");
}

static double mean_of(const char *metric, const double *x, size_t n)
{
	if (is_rate(metric))
		return stats_harmonic_mean(x, n);
	return stats_geometric_mean(x, n);
}

static void print_change(struct table *t, double ratio)
{
	if (ratio > 2 || ratio < 0.5)
		table_cell(t, "x %.3g", ratio);
	else
		table_cell(t, "%+.1f %%", 100 * (ratio - 1));
}

static void print_tallies(const struct tallies *t)
{
	struct table *out = table_new(9, "metric:", ":pairs", ":base", ":new", ":change", ":least",
				      ":most", ":better", ":worse");

	for (size_t i = 0; i < t->n; i++) {
		const struct metric_tally *m = &t->v[i];

		table_cell(out, "%s", m->metric);
		table_cell(out, "%zu", m->n);
		table_cell(out, "%s", metric_text(m->metric, mean_of(m->metric, m->base, m->n)));
		table_cell(out, "%s", metric_text(m->metric, mean_of(m->metric, m->changed, m->n)));
		print_change(out, stats_geometric_mean(m->ratio, m->n));
		print_change(out, stats_quantile(m->ratio, m->n, 0));
		print_change(out, stats_quantile(m->ratio, m->n, 1));
		table_cell(out, "%zu", m->better);
		table_cell(out, "%zu", m->worse);
	}
	table_print(out, stdout);
	printf("\n%zu pairs of runs; base and new are means over them (harmonic for rates, else geometric), change is the "
	       "geometric\nmean of the ratios; better and worse count the pairs with such a verdict.\n",
	       t->pairs);
}

int compare_plans(struct store *s, const json_t *base, const json_t *changed, bool force)
{
	struct tallies t = {NULL, 0, 0};
	int status = add_pairs(&t, s, base, changed, force);

	if (status == EXIT_OK && !t.pairs) {
		log_error("compare: the plans of %s and %s have no configuration in common",
			  record_of(base).id, record_of(changed).id);
		status = EXIT_CANNOT;
	} else if (status == EXIT_OK) {
		print_tallies(&t);
	}
	for (size_t i = 0; i < t.n; i++) {
		free(t.v[i].metric);
		free(t.v[i].base);
		free(t.v[i].changed);
		free(t.v[i].ratio);
	}
	free(t.v);
	return status;
}
