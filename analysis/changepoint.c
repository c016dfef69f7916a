// SPDX-License-Identifier: MIT
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/changepoint.h"
#include "analysis/stats.h"
#include "base/rng.h"

#define PERMUTATIONS 499
#define WINDOW                                                                                     \
	60 /* points on each side of a split that its test looks at: bounds the cost of a long     \
	      series */

struct found {
	struct change_point *v;
	size_t n;
};

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

static void shuffle(double *x, size_t n, struct rng *r)
{
	for (size_t i = n - 1; i > 0; i--) {
		size_t j = rng_below(r, (uint32_t)i + 1);
		double swap = x[i];

		x[i] = x[j];
		x[j] = swap;
	}
}

/* Share of orders whose best split is as good. Ends early once it is sure not to be significant. */
static double permutation_p(const double *x, size_t n)
{
	double *copy = xcalloc(n, sizeof(*copy)), *scratch = xcalloc(n, sizeof(*scratch)), observed;
	size_t hits = 0, drawn = 0, at;
	struct rng r;

	memcpy(copy, x, n * sizeof(*copy));
	rng_seed(&r, n);
	observed = best_split(x, n, scratch, &at);
	while (drawn < PERMUTATIONS && (double)(hits + 1) / (PERMUTATIONS + 1) <= CHANGE_ALPHA) {
		shuffle(copy, n, &r);
		hits += best_split(copy, n, scratch, &at) >= observed;
		drawn++;
	}
	free(copy);
	free(scratch);
	return (double)(hits + 1) / (double)(drawn + 1);
}

static void found_add(struct found *f, struct change_point c)
{
	f->v = xgrow(f->v, f->n, sizeof(*f->v));
	f->v[f->n++] = c;
}

/* Split x[start..end) as long as it pays; found in order. */
static void bisect(const double *x, size_t start, size_t end, struct found *f)
{
	size_t n = end - start, at = 0, from, to;
	double *scratch, p;

	if (n < 2 * CHANGE_MIN_SEGMENT)
		return;
	scratch = xcalloc(n, sizeof(*scratch));
	if (best_split(x + start, n, scratch, &at) <= 0)
		at = 0;
	free(scratch);
	if (!at)
		return;
	at += start;
	from = at - start > WINDOW ? at - WINDOW : start;
	to = end - at > WINDOW ? at + WINDOW : end;
	p = permutation_p(x + from, to - from);
	if (p > CHANGE_ALPHA)
		return;
	bisect(x, start, at, f);
	found_add(f, (struct change_point){.at = at, .p = p});
	bisect(x, at, end, f);
}

/* Medians of the levels on both sides of each change. */
static void measure(const double *x, size_t n, struct found *f)
{
	for (size_t i = 0; i < f->n; i++) {
		size_t start = i ? f->v[i - 1].at : 0, end = i + 1 < f->n ? f->v[i + 1].at : n;

		f->v[i].before = stats_median(x + start, f->v[i].at - start);
		f->v[i].after = stats_median(x + f->v[i].at, end - f->v[i].at);
	}
}

static double magnitude(const struct change_point *c)
{
	double d = fabs(c->after - c->before);

	return c->before ? d / fabs(c->before) : d ? INFINITY : 0;
}

/* Drop the smallest change below the minimum, measure anew, again. Accepted ones stay. */
static void merge_small(const double *x, size_t n, double least, struct found *f)
{
	for (;;) {
		size_t small = f->n;

		measure(x, n, f);
		for (size_t i = 0; i < f->n; i++)
			if (!f->v[i].accepted && magnitude(&f->v[i]) < least &&
			    (small == f->n || magnitude(&f->v[i]) < magnitude(&f->v[small])))
				small = i;
		if (small == f->n)
			return;
		memmove(&f->v[small], &f->v[small + 1], (f->n - small - 1) * sizeof(*f->v));
		f->n--;
	}
}

size_t change_points(const double *x, size_t n, const size_t *accepted, size_t n_accepted,
		     double min_magnitude, struct change_point **out)
{
	struct found f = {NULL, 0};
	size_t start = 0;

	for (size_t i = 0; i < n_accepted; i++) {
		if (accepted[i] <= start || accepted[i] >= n)
			continue;
		bisect(x, start, accepted[i], &f);
		found_add(&f, (struct change_point){.at = accepted[i], .accepted = true});
		start = accepted[i];
	}
	bisect(x, start, n, &f);
	merge_small(x, n, min_magnitude < 0 ? CHANGE_MIN_MAGNITUDE : min_magnitude, &f);
	for (size_t i = 0; i < f.n; i++)
		f.v[i].provisional = !f.v[i].accepted && n - f.v[i].at < CHANGE_SETTLED;
	*out = f.v;
	return f.n;
}
