// SPDX-License-Identifier: MIT
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/spread.h"
#include "results/query.h"

#define TWO_SIDED 1.960 /* standard errors from the middle to the end of a 95 % interval */

/* Sum of squares within the builds, less what the errors of the medians add to it. */
struct tally {
	double squares, errors;
	size_t pairs;
};

static void tally_build(struct tally *t, const struct spread_run *run, size_t n)
{
	double mean = 0, squares = 0, errors = 0;

	for (size_t i = 0; i < n; i++)
		mean += run[i].log_median / (double)n;
	for (size_t i = 0; i < n; i++) {
		squares += (run[i].log_median - mean) * (run[i].log_median - mean);
		errors += run[i].error * run[i].error / (double)n;
	}
	t->squares += squares;
	t->errors += errors * (double)(n - 1);
	t->pairs += n - 1;
}

struct spread spread_of_runs(const struct spread_run *run, size_t n)
{
	struct tally t = {0, 0, 0};
	double variance;

	for (size_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && run[end].build == run[i].build;)
			end++;
		tally_build(&t, run + i, end - i);
	}
	variance = (t.squares - t.errors) / (double)t.pairs;
	if (t.pairs < SPREAD_MIN_PAIRS)
		return (struct spread){NAN, t.pairs};
	return (struct spread){sqrt(fmax(0, variance)), t.pairs};
}

/*
 * Two variances of which each is an estimate: that of the ratio within the runs, from its interval, and twice
 * that of a run. The degrees of freedom of their sum after Satterthwaite (1946).
 */
struct spread_error spread_error(const struct spread *s, const struct interval *ratio, size_t na, size_t nb)
{
	double df = (double)(na + nb - 2);
	double half = (log(ratio->high) - log(ratio->low)) / 2 / gsl_cdf_tdist_Pinv(0.975, df);
	double within = half * half, between = 2 * s->sd * s->sd, sum = within + between;

	return (struct spread_error){
		sqrt(sum), sum * sum / (within * within / df + between * between / (double)s->pairs)};
}

void spread_widen(const struct spread *s, struct interval *ratio, size_t na, size_t nb, double *p)
{
	double point = log(ratio->point), half;
	struct spread_error e;

	if (!(s->sd > 0) || isnan(ratio->low))
		return;
	e = spread_error(s, ratio, na, nb);
	half = e.error * gsl_cdf_tdist_Pinv(0.975, e.df);
	ratio->low = fmin(ratio->low, exp(point - half));
	ratio->high = fmax(ratio->high, exp(point + half));
	*p = fmax(*p, 2 * gsl_cdf_tdist_Q(fabs(point) / e.error, e.df));
}

/* ---- from the store ---- */

/* Runs of a series, with a number for each build. */
struct builds {
	struct run_row *row;
	size_t n;
};

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct run_row *)a)->id, ((const struct run_row *)b)->id);
}

/* The first run of the same build stands for it; a run whose programs are not known is alone. */
static size_t build_of(const struct builds *b, const char *id)
{
	struct run_row key = {.ok = false};
	const struct run_row *r;

	snprintf(key.id, sizeof(key.id), "%s", id);
	r = bsearch(&key, b->row, b->n, sizeof(*b->row), by_id);
	if (!r)
		return SIZE_MAX;
	for (size_t i = 0; *r->build && i < b->n; i++)
		if (!strcmp(b->row[i].build, r->build))
			return i;
	return (size_t)(r - b->row);
}

static int by_build(const void *a, const void *b)
{
	size_t x = ((const struct spread_run *)a)->build, y = ((const struct spread_run *)b)->build;

	return (x > y) - (x < y);
}

static struct spread spread_of_points(const struct series_point *p, size_t n, const struct builds *b)
{
	struct spread_run *run = xcalloc(n, sizeof(*run));
	struct spread s;
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		double error = (log(p[i].high) - log(p[i].low)) / 2 / TWO_SIDED;
		size_t build = build_of(b, p[i].id);

		if (!(p[i].median > 0) || build == SIZE_MAX)
			continue;
		run[k++] = (struct spread_run){log(p[i].median), isfinite(error) ? error : 0, build};
	}
	if (k)
		qsort(run, k, sizeof(*run), by_build);
	s = spread_of_runs(run, k);
	free(run);
	return s;
}

int spreads_learn(struct spreads *out, struct store *store, const char *series)
{
	const struct run_filter filter = {.series = series, .ok_only = true};
	struct series_point *point = NULL;
	struct builds b = {NULL, 0};
	size_t points = 0, end;
	int err = store_list(store, &filter, &b.row, &b.n);

	*out = (struct spreads){NULL, 0};
	if (!err)
		err = store_series(store, &filter, NULL, &point, &points);
	if (b.n)
		qsort(b.row, b.n, sizeof(*b.row), by_id);
	for (size_t i = 0; !err && i < points; i = end) {
		for (end = i + 1; end < points && point[end].metric == point[i].metric;)
			end++;
		out->v = xgrow(out->v, out->n, sizeof(*out->v));
		out->v[out->n].metric = xstrdup(point[i].metric);
		out->v[out->n++].spread = spread_of_points(point + i, end - i, &b);
	}
	free(point);
	run_rows_free(b.row, b.n);
	return err;
}

void spreads_free(struct spreads *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i].metric);
	free(s->v);
	*s = (struct spreads){NULL, 0};
}

struct spread spreads_find(const struct spreads *s, const char *metric)
{
	for (size_t i = 0; s && i < s->n; i++)
		if (!strcmp(s->v[i].metric, metric))
			return s->v[i].spread;
	return (struct spread){NAN, 0};
}
