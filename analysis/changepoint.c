// SPDX-License-Identifier: MIT
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/changepoint.h"
#include "analysis/stats.h"
#include "base/number.h"
#include "base/rng.h"

#define PERMUTATIONS 499
#define WINDOW	     60 /* points on each side of a split that its test looks at: bounds the cost */
#define DRIFT_ALPHA  0.001 /* of a drift where no step was found */
#define MOST_LAG1    0.95

struct levels {
	struct change_level *v;
	size_t n;
};

/* ---- the best split ---- */

static double sum_of_distances(const double *x, size_t n, double from)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += fabs(x[i] - from);
	return sum;
}

/*
 * Largest nm/(n+m) (2 E|X-Y| - E|X-X'| - E|Y-Y'|) over the splits of x into n and m points, and
 * where it lies. The sums of distances inside the left part grow point by point, those of the right
 * part shrink. left is scratch of n.
 */
static double best_split(const double *x, size_t n, double *left, size_t *at)
{
	double right = 0, best = -1, all;

	left[0] = 0;
	for (size_t i = 1; i < n; i++)
		left[i] = left[i - 1] + sum_of_distances(x, i, x[i]);
	all = left[n - 1];
	for (size_t k = n - 1; k >= CHANGE_MIN_SEGMENT; k--) {
		double l = (double)k, r = (double)(n - k), between, q;

		right += sum_of_distances(x + k + 1, n - k - 1, x[k]);
		if (n - k < CHANGE_MIN_SEGMENT)
			continue;
		between = all - left[k - 1] - right;
		q = l * r / (l + r) *
		    (2 * between / (l * r) - 2 * left[k - 1] / (l * (l - 1)) -
		     2 * right / (r * (r - 1)));
		if (q > best) {
			best = q;
			*at = k;
		}
	}
	return best;
}

static void shuffle_values(double *x, size_t n, struct rng *r)
{
	for (size_t i = n - 1; i > 0; i--) {
		size_t j = rng_below(r, (uint32_t)i + 1);
		double swap = x[i];

		x[i] = x[j];
		x[j] = swap;
	}
}

/*
 * What is new in each point of a series in which lag1 of the distance from the mean lasts until the next
 * point. The first is scaled as the others.
 */
static void innovations(const double *x, size_t n, double lag1, double *e)
{
	double mean = stats_mean(x, n);

	e[0] = (x[0] - mean) * sqrt(1 - lag1 * lag1);
	for (size_t i = 1; i < n; i++)
		e[i] = x[i] - mean - lag1 * (x[i - 1] - mean);
}

static void series_of(const double *e, size_t n, double lag1, double *x)
{
	x[0] = e[0] / sqrt(1 - lag1 * lag1);
	for (size_t i = 1; i < n; i++)
		x[i] = lag1 * x[i - 1] + e[i];
}

/*
 * Share of series with as much correlation, made of the innovations in another order, whose best split
 * is as good. Without correlation these are permutations; blocks long enough to keep it would leave too
 * few of them in a history of forty nights. Ends early once it is sure not to be significant.
 */
static double permutation_p(const double *x, size_t n, double lag1)
{
	double *e = xcalloc(n, sizeof(*e)), *y = xcalloc(n, sizeof(*y)),
	       *scratch = xcalloc(n, sizeof(*scratch));
	size_t hits = 0, drawn = 0, at;
	double observed;
	struct rng r;

	rng_seed(&r, n);
	observed = best_split(x, n, scratch, &at);
	innovations(x, n, lag1, e);
	while (drawn < PERMUTATIONS && (double)(hits + 1) / (PERMUTATIONS + 1) <= CHANGE_ALPHA) {
		shuffle_values(e, n, &r);
		series_of(e, n, lag1, y);
		/* Sums in another order are not equal to the last bit. */
		hits += best_split(y, n, scratch, &at) >= observed * (1 - 1e-9);
		drawn++;
	}
	free(e);
	free(y);
	free(scratch);
	return (double)(hits + 1) / (double)(drawn + 1);
}

/* Where x[start..end) splits into two levels, and the p of that; 0: nowhere. */
static size_t find_split(const double *x, size_t start, size_t end, double lag1, double *p)
{
	size_t n = end - start, at = 0, from, to;
	double *scratch, best;

	if (n < 2 * CHANGE_MIN_SEGMENT)
		return 0;
	scratch = xcalloc(n, sizeof(*scratch));
	best = best_split(x + start, n, scratch, &at);
	free(scratch);
	if (best <= 0)
		return 0;
	at += start;
	from = at - MIN(at - start, WINDOW);
	to = at + MIN(end - at, WINDOW);
	*p = permutation_p(x + from, to - from, lag1);
	return *p <= CHANGE_ALPHA ? at : 0;
}

/* ---- how well levels and lines describe it ---- */

/* x = a + b i over the points of a level; b is 0 when it does not drift. */
static void line_of(const double *x, const struct change_level *l, double *a, double *b)
{
	size_t n = l->end - l->start;
	double middle = (double)(n - 1) / 2, mean = stats_mean(x + l->start, n), xy = 0, xx = 0;

	for (size_t i = 0; i < n && l->drift; i++) {
		double off = (double)i - middle;

		xy += off * (x[l->start + i] - mean);
		xx += off * off;
	}
	*b = ratio_or(xy, xx, 0);
	*a = mean - *b * middle;
}

struct fit {
	double squares; /* that are left */
	double lag1;	/* of what is left */
	size_t parameters;
};

/* Squares of one level's residuals and products of neighbours; last carries over to the next level. */
static void add_residuals(const double *x, const struct change_level *l, struct fit *f, double *products,
			  double *last)
{
	double a, b;

	line_of(x, l, &a, &b);
	for (size_t i = l->start; i < l->end; i++) {
		double r = x[i] - a - b * (double)(i - l->start);

		f->squares += r * r;
		*products += r * *last;
		*last = r;
	}
	f->parameters += l->drift ? 2 : 1;
}

/*
 * Every mean that was taken away bends the correlation of the rest downwards, by about (1.8 + 3.6 lag1) / n
 * where a split was chosen for its size (simulated).
 */
static struct fit fit_of(const double *x, const struct change_level *l, size_t levels)
{
	double n = (double)(l[levels - 1].end - l[0].start), products = 0, last = 0, bend;
	struct fit f = {0, 0, 0};

	for (size_t i = 0; i < levels; i++)
		add_residuals(x, &l[i], &f, &products, &last);
	bend = (double)f.parameters / n;
	if (f.squares > 0)
		f.lag1 = (products / f.squares + 1.8 * bend) / (1 - fmin(0.5, 3.6 * bend));
	f.lag1 = fmin(fmax(f.lag1, 0), MOST_LAG1);
	f.parameters += levels - 1; /* where the steps are */
	return f;
}

/* Points that correlate count as fewer. */
static double effective_n(size_t n, double lag1)
{
	return fmax(4, (double)n * (1 - lag1) / (1 + lag1));
}

/* Bayes' information criterion (Schwarz 1978). */
static double criterion(const struct fit *f, size_t n, double effective)
{
	return effective * log(fmax(f->squares, 1e-300) / (double)n) + (double)f->parameters * log(effective);
}

/* Does a line describe the points of these levels better? What fits badly looks correlated: the smaller
 * correlation is the series' own. */
static bool drift_wins(const double *x, const struct change_level *l, size_t levels)
{
	const struct change_level drift = {.start = l[0].start, .end = l[levels - 1].end, .drift = true};
	size_t n = drift.end - drift.start;
	struct fit line, steps;
	double effective, t;

	if (n < CHANGE_MIN_DRIFT)
		return false;
	line = fit_of(x, &drift, 1);
	steps = fit_of(x, l, levels);
	effective = effective_n(n, fmin(line.lag1, steps.lag1));
	if (levels > 1)
		return criterion(&line, n, effective) <= criterion(&steps, n, effective);
	if (steps.squares <= line.squares)
		return false;
	t = sqrt((steps.squares - line.squares) * (effective - 2) / fmax(line.squares, 1e-300));
	return 2 * gsl_cdf_tdist_Q(t, effective - 2) < DRIFT_ALPHA;
}

/* ---- bisection ---- */

static void add_level(struct levels *l, struct change_level level)
{
	l->v = xgrow(l->v, l->n, sizeof(*l->v));
	l->v[l->n++] = level;
}

/* Split x[start..end) as long as it pays; p is of the step at its start. */
static void bisect(const double *x, size_t start, size_t end, double p, double lag1, bool drifts,
		   struct levels *l)
{
	size_t first = l->n, at;
	double here = 1;

	at = find_split(x, start, end, lag1, &here);
	if (at) {
		bisect(x, start, at, p, lag1, drifts, l);
		bisect(x, at, end, here, lag1, drifts, l);
	} else {
		add_level(l, (struct change_level){.start = start, .end = end, .p = p});
	}
	if (!drifts || !drift_wins(x, l->v + first, l->n - first))
		return;
	l->n = first;
	add_level(l, (struct change_level){.start = start, .end = end, .p = p, .drift = true});
}

/*
 * First as if the points were independent, which finds too many levels, and from what those leave the
 * correlation; then with that.
 */
static void divide(const double *x, size_t start, size_t end, struct levels *out)
{
	const struct change_level line = {.start = start, .end = end, .drift = true};
	struct levels many = {NULL, 0};
	double lag1;

	bisect(x, start, end, 0, 0, false, &many);
	lag1 = fit_of(x, many.v, many.n).lag1;
	if (end - start >= CHANGE_MIN_DRIFT)
		lag1 = fmin(lag1, fit_of(x, &line, 1).lag1);
	free(many.v);
	bisect(x, start, end, 0, lag1, true, out);
}

/* ---- magnitudes ---- */

static void measure_levels(const double *x, struct levels *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct change_level *v = &l->v[i];
		size_t n = v->end - v->start;
		double slope;

		if (v->drift) {
			line_of(x, v, &v->from, &slope);
			v->to = v->from + slope * (double)(n - 1);
		} else {
			v->from = v->to = stats_median(x + v->start, n);
		}
	}
}

static double magnitude(double before, double after)
{
	if (before == after)
		return 0;
	return ratio_or(fabs(after - before), fabs(before), INFINITY);
}

/* A drift that does not come far is a level. */
static void still_small_drifts(const double *x, double least, struct levels *l)
{
	measure_levels(x, l);
	for (size_t i = 0; i < l->n; i++)
		l->v[i].drift &= magnitude(l->v[i].from, l->v[i].to) >= least;
}

/* Where the smallest step between two levels is that is below the minimum; 0 when there is none. */
static size_t smallest_step(const struct levels *l, double least)
{
	double small = least;
	size_t at = 0;

	for (size_t i = 1; i < l->n; i++) {
		double size = magnitude(l->v[i - 1].to, l->v[i].from);

		if (!l->v[i].accepted && !l->v[i].drift && !l->v[i - 1].drift && size < small) {
			small = size;
			at = i;
		}
	}
	return at;
}

/* Join the two levels with the smallest step below the minimum, measure anew, again. Accepted ones stay. */
static void merge_small(const double *x, double least, struct levels *l)
{
	size_t at;

	still_small_drifts(x, least, l);
	measure_levels(x, l);
	while ((at = smallest_step(l, least))) {
		l->v[at - 1].end = l->v[at].end;
		memmove(&l->v[at], &l->v[at + 1], (l->n - at - 1) * sizeof(*l->v));
		l->n--;
		measure_levels(x, l);
	}
}

struct change_levels change_levels(const double *x, size_t n, const size_t *accepted, size_t n_accepted,
				   double min_magnitude)
{
	struct levels l = {NULL, 0};
	size_t start = 0, first;
	double lag1;

	for (size_t i = 0; i <= n_accepted; i++) {
		size_t end = i < n_accepted ? accepted[i] : n;

		if (end <= start || end > n)
			continue;
		first = l.n;
		divide(x, start, end, &l);
		l.v[first].accepted = start > 0;
		start = end;
	}
	lag1 = fit_of(x, l.v, l.n).lag1;
	if (min_magnitude < 0)
		min_magnitude = CHANGE_MIN_MAGNITUDE;
	merge_small(x, min_magnitude, &l);
	for (size_t i = 1; i < l.n; i++)
		l.v[i].provisional = !l.v[i].accepted && n - l.v[i].start < CHANGE_SETTLED;
	return (struct change_levels){l.v, l.n, lag1};
}
