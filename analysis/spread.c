// SPDX-License-Identifier: MIT
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/spread.h"
#include "base/number.h"
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
struct run_build {
	char id[32];
	size_t build;
};

static int by_build_text(const void *a, const void *b)
{
	return strcmp(((const struct run_row *)a)->build, ((const struct run_row *)b)->build);
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct run_build *)a)->id, ((const struct run_build *)b)->id);
}

/* Sorted by id; a run whose programs are not known is a build of its own. */
static struct run_build *number_builds(struct run_row *row, size_t n)
{
	struct run_build *b = xcalloc(n, sizeof(*b));
	size_t build = 0;

	if (n)
		qsort(row, n, sizeof(*row), by_build_text);
	for (size_t i = 0; i < n; i++) {
		build += i && (!*row[i].build || strcmp(row[i].build, row[i - 1].build) != 0);
		snprintf(b[i].id, sizeof(b[i].id), "%s", row[i].id);
		b[i].build = build;
	}
	if (n)
		qsort(b, n, sizeof(*b), by_id);
	return b;
}

static int by_build(const void *a, const void *b)
{
	size_t x = ((const struct spread_run *)a)->build, y = ((const struct spread_run *)b)->build;

	return (x > y) - (x < y);
}

static struct spread spread_of_points(const struct series_point *p, size_t n, const struct run_build *builds,
				      size_t n_builds)
{
	struct spread_run *run = xcalloc(n, sizeof(*run));
	struct spread s;
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		double error = (log(p[i].high) - log(p[i].low)) / 2 / TWO_SIDED;
		const struct run_build *b = bsearch(p[i].id, builds, n_builds, sizeof(*builds), by_id);

		if (b && p[i].median > 0)
			run[k++] = (struct spread_run){log(p[i].median), finite_or(error, 0), b->build};
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
	struct run_build *build = NULL;
	struct run_row *row;
	size_t rows, points = 0, end;
	int err = store_list(store, &filter, &row, &rows);

	*out = (struct spreads){NULL, 0};
	if (!err)
		err = store_series(store, &filter, NULL, &point, &points);
	if (!err)
		build = number_builds(row, rows);
	for (size_t i = 0; i < points; i = end) {
		for (end = i + 1; end < points && point[end].metric == point[i].metric;)
			end++;
		out->v = xgrow(out->v, out->n, sizeof(*out->v));
		out->v[out->n].metric = xstrdup(point[i].metric);
		out->v[out->n++].spread = spread_of_points(point + i, end - i, build, rows);
	}
	free(build);
	free(point);
	run_rows_free(row, rows);
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
