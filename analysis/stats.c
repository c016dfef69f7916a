// SPDX-License-Identifier: MIT
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/stats.h"
#include "base/number.h"
#include "base/rng.h"

int stats_by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double *sorted_copy(const double *x, size_t n)
{
	double *s = xcalloc(n, sizeof(*s));

	if (n) {
		memcpy(s, x, n * sizeof(*s));
		qsort(s, n, sizeof(*s), stats_by_value);
	}
	return s;
}

static double sorted_quantile(const double *s, size_t n, double q)
{
	double at, frac;
	size_t i;

	if (!n)
		return NAN;
	at = q * (double)(n - 1);
	i = (size_t)at;
	frac = at - (double)i;
	return frac > 0 ? s[i] + frac * (s[i + 1] - s[i]) : s[i];
}

double stats_quantile(const double *x, size_t n, double q)
{
	double *s = sorted_copy(x, n), v = sorted_quantile(s, n, q);

	free(s);
	return v;
}

double stats_median(const double *x, size_t n)
{
	return stats_quantile(x, n, 0.5);
}

double stats_mad(const double *x, size_t n)
{
	double *d = xcalloc(n, sizeof(*d)), m = stats_median(x, n);

	for (size_t i = 0; i < n; i++)
		d[i] = fabs(x[i] - m);
	m = stats_median(d, n);
	free(d);
	return m;
}

double stats_mean(const double *x, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += x[i];
	return ratio_or(sum, (double)n, NAN);
}

static bool all_positive(const double *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!(x[i] > 0))
			return false;
	return n > 0;
}

double stats_harmonic_mean(const double *x, size_t n)
{
	double sum = 0;

	if (!all_positive(x, n))
		return NAN;
	for (size_t i = 0; i < n; i++)
		sum += 1 / x[i];
	return (double)n / sum;
}

static double *logs(const double *x, size_t n)
{
	double *l = xcalloc(n, sizeof(*l));

	for (size_t i = 0; i < n; i++)
		l[i] = log(x[i]);
	return l;
}

double stats_geometric_mean(const double *x, size_t n)
{
	double *l, m;

	if (!all_positive(x, n))
		return NAN;
	l = logs(x, n);
	m = exp(stats_mean(l, n));
	free(l);
	return m;
}

/* All differences b - a, sorted. */
static double *differences(const double *a, size_t na, const double *b, size_t nb)
{
	double *d = xcalloc(na * nb, sizeof(*d));

	for (size_t i = 0; i < na; i++)
		for (size_t j = 0; j < nb; j++)
			d[i * nb + j] = b[j] - a[i];
	if (na && nb)
		qsort(d, na * nb, sizeof(*d), stats_by_value);
	return d;
}

/* P(k of n fair coins show heads), through logarithms so that n may be large. */
static double coin(size_t n, size_t k)
{
	return exp(lgamma((double)n + 1) - lgamma((double)k + 1) - lgamma((double)(n - k) + 1) -
		   (double)n * M_LN2);
}

/*
 * Between the k-th and the (n-k+1)-th of n sorted values the median lies with probability 1 - 2
 * P(Bin < k). With the widest k above 95 % and k + 1 below it, the ends move inwards by lambda,
 * which is not linear in the probability.
 */
struct interval stats_median_ci(const double *x, size_t n)
{
	struct interval ci = {stats_median(x, n), NAN, NAN, n};
	double tail = 0, outer, inner, share, lambda, *s;
	size_t k = 0;

	if (n < STATS_MIN_N)
		return ci;
	do
		tail += coin(n, k++);
	while (tail + coin(n, k) <= 0.025);
	outer = 1 - 2 * tail;
	inner = 1 - 2 * (tail + coin(n, k));
	share = (outer - 0.95) / (outer - inner);
	lambda = (double)(n - k) * share / ((double)k + (double)(n - 2 * k) * share);
	s = sorted_copy(x, n);
	ci.low = (1 - lambda) * s[k - 1] + lambda * s[k];
	ci.high = (1 - lambda) * s[n - k] + lambda * s[n - k - 1];
	free(s);
	return ci;
}

/* ---- bootstrap ---- */

/* Median of one resample of the sorted s: draw positions, count them, walk to the middle. O(n), no
 * sorting. */
static double resampled_median(const double *s, size_t n, uint32_t *count, struct rng *r)
{
	size_t low = (n - 1) / 2, high = n / 2, seen = 0, i = 0;
	double first;

	memset(count, 0, n * sizeof(*count));
	for (size_t k = 0; k < n; k++)
		count[rng_below(r, (uint32_t)n)]++;
	while ((seen += count[i]) <= low)
		i++;
	first = s[i];
	while (seen <= high)
		seen += count[++i];
	return (first + s[i]) / 2;
}

/* Hoare's FIND: value number k comes where sorting would put it, none greater before it, none less after. */
static void place_value(double *t, ptrdiff_t n, ptrdiff_t k)
{
	ptrdiff_t low = 0, high = n - 1;

	while (low < high) {
		ptrdiff_t i = low, j = high;
		double pivot = t[k];

		while (i <= j) {
			while (t[i] < pivot)
				i++;
			while (pivot < t[j])
				j--;
			if (i <= j) {
				double v = t[i];

				t[i++] = t[j];
				t[j--] = v;
			}
		}
		if (j < k)
			low = i;
		if (k < i)
			high = j;
	}
}

/* As sorted_quantile, of values in any order, which change places: a bootstrap asks two of ten thousand. */
static double placed_quantile(double *t, size_t n, double q)
{
	size_t i = (size_t)(q * (double)(n - 1));

	place_value(t, (ptrdiff_t)n, (ptrdiff_t)i);
	for (size_t k = i + 2; k < n; k++)
		if (t[k] < t[i + 1]) {
			double v = t[k];

			t[k] = t[i + 1];
			t[i + 1] = v;
		}
	return sorted_quantile(t, n, q);
}

static void take_quantiles(struct interval *ci, double *t, size_t n)
{
	ci->low = placed_quantile(t, n, 0.025);
	ci->high = placed_quantile(t, n, 0.975);
}

struct interval stats_difference_ci(const double *a, size_t na, const double *b, size_t nb,
				    uint64_t seed)
{
	struct interval ci = {stats_median(b, nb) - stats_median(a, na), NAN, NAN, MIN(na, nb)};
	double *sa, *sb, *t;
	uint32_t *count;
	struct rng r;

	if (ci.n < STATS_MIN_N)
		return ci;
	sa = sorted_copy(a, na);
	sb = sorted_copy(b, nb);
	t = xcalloc(STATS_RESAMPLES, sizeof(*t));
	count = xcalloc(MAX(na, nb), sizeof(*count));
	rng_seed(&r, seed);
	for (size_t i = 0; i < STATS_RESAMPLES; i++) {
		double ma = resampled_median(sa, na, count, &r);

		t[i] = resampled_median(sb, nb, count, &r) - ma;
	}
	take_quantiles(&ci, t, STATS_RESAMPLES);
	free(sa);
	free(sb);
	free(t);
	free(count);
	return ci;
}

static struct interval exp_interval(struct interval ci)
{
	return (struct interval){exp(ci.point), exp(ci.low), exp(ci.high), ci.n};
}

struct interval stats_ratio_ci(const double *a, size_t na, const double *b, size_t nb,
			       uint64_t seed)
{
	struct interval ci = {NAN, NAN, NAN, MIN(na, nb)};
	double *la, *lb;

	if (!all_positive(a, na) || !all_positive(b, nb))
		return ci;
	la = logs(a, na);
	lb = logs(b, nb);
	ci = exp_interval(stats_difference_ci(la, na, lb, nb, seed));
	/* Of an even number the median of the logs is not the log of the median; report the plain
	 * ratio. */
	ci.point = stats_median(b, nb) / stats_median(a, na);
	free(la);
	free(lb);
	return ci;
}

static double nested_median(const struct stats_nested *v, double *buf, struct rng *r)
{
	size_t n = 0;

	for (size_t i = 0; i < v->boots; i++) {
		size_t boot = r ? rng_below(r, (uint32_t)v->boots) : i;
		size_t first = v->start[boot], windows = v->start[boot + 1] - first;

		for (size_t k = 0; k < windows; k++)
			buf[n++] = v->x[first + (r ? rng_below(r, (uint32_t)windows) : k)];
	}
	qsort(buf, n, sizeof(*buf), stats_by_value);
	return sorted_quantile(buf, n, 0.5);
}

static size_t largest_draw(const struct stats_nested *v)
{
	size_t most = 0;

	for (size_t i = 0; i < v->boots; i++)
		most = MAX(most, v->start[i + 1] - v->start[i]);
	return most * v->boots;
}

struct interval stats_nested_ratio_ci(const struct stats_nested *a, const struct stats_nested *b,
				      uint64_t seed)
{
	struct interval ci = {NAN, NAN, NAN, MIN(a->boots, b->boots)};
	double *buf, *t;
	struct rng r;

	if (!ci.n || !all_positive(a->x, a->start[a->boots]) ||
	    !all_positive(b->x, b->start[b->boots]))
		return ci;
	buf = xcalloc(MAX(largest_draw(a), largest_draw(b)), sizeof(*buf));
	ci.point = nested_median(b, buf, NULL) / nested_median(a, buf, NULL);
	if (ci.n >= STATS_MIN_N) {
		t = xcalloc(STATS_RESAMPLES, sizeof(*t));
		rng_seed(&r, seed);
		for (size_t i = 0; i < STATS_RESAMPLES; i++)
			t[i] = -log(nested_median(a, buf, &r)) + log(nested_median(b, buf, &r));
		take_quantiles(&ci, t, STATS_RESAMPLES);
		ci = (struct interval){ci.point, exp(ci.low), exp(ci.high), ci.n};
		free(t);
	}
	free(buf);
	return ci;
}

/*
 * Largest c with P(U < c) <= tail under no difference, U the Mann-Whitney statistic: the
 * distribution by the recursion f(u; m, n) = f(u - n; m - 1, n) + f(u; m, n - 1), as a partition
 * count. Normal approximation above 50 values a side.
 */
size_t stats_rank_cut(size_t na, size_t nb, double tail)
{
	size_t most = na * nb, c = 0;
	double total = 0, below = 0, *f;

	if (na > 50 || nb > 50) {
		double mean = (double)most / 2,
		       sd = sqrt((double)most * (double)(na + nb + 1) / 12);

		return (size_t)MAX(0, floor(mean - gsl_cdf_ugaussian_Qinv(tail) * sd));
	}
	f = xcalloc(most + 1, sizeof(*f));
	f[0] = 1;
	/* Gaussian binomial coefficient: multiply by (1 - q^(nb+i)), divide by (1 - q^i). */
	for (size_t i = 1; i <= na; i++) {
		for (size_t u = most; u >= nb + i && u <= most; u--)
			f[u] -= f[u - nb - i];
		for (size_t u = i; u <= most; u++)
			f[u] += f[u - i];
	}
	for (size_t u = 0; u <= most; u++)
		total += f[u];
	while (c <= most && below + f[c] <= tail * total)
		below += f[c++];
	free(f);
	return c;
}

struct interval stats_hl_ratio_ci(const double *a, size_t na, const double *b, size_t nb,
				  double confidence)
{
	struct interval ci = {NAN, NAN, NAN, MIN(na, nb)};
	double *la, *lb, *d;
	size_t c = 0;

	if (!all_positive(a, na) || !all_positive(b, nb))
		return ci;
	la = logs(a, na);
	lb = logs(b, nb);
	d = differences(la, na, lb, nb);
	ci.point = exp(sorted_quantile(d, na * nb, 0.5));
	if (ci.n >= STATS_MIN_N)
		c = stats_rank_cut(na, nb, (1 - confidence) / 2);
	if (c) {
		ci.low = exp(d[c - 1]);
		ci.high = exp(d[na * nb - c]);
	}
	free(la);
	free(lb);
	free(d);
	return ci;
}

static double *value_at(double *a, size_t na, double *b, size_t i)
{
	return i < na ? a + i : b + (i - na);
}

void stats_lift(double *a, size_t na, double *b, size_t nb)
{
	double least = INFINITY, step = INFINITY;

	for (size_t i = 0; i < na + nb; i++)
		least = fmin(least, *value_at(a, na, b, i));
	if (least > 0)
		return;
	for (size_t i = 0; i < na + nb; i++) {
		double above = *value_at(a, na, b, i) - least;

		if (above > 0)
			step = fmin(step, above);
	}
	for (size_t i = 0; i < na + nb; i++)
		*value_at(a, na, b, i) += finite_or(step / 2, 1) - least;
}

double stats_detectable_ratio(const struct interval *ci)
{
	/* The interval is 2 x 1.960 standard errors wide; 80 % power needs 1.960 + 0.842 of them.
	 */
	return exp((log(ci->high) - log(ci->low)) * (1.960 + 0.842) / (2 * 1.960));
}
