// SPDX-License-Identifier: MIT
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>

#include "analysis/pairs.h"

#define ENUMERATED 100 /* pairs; beyond, W is normal enough */


/*
 * The magnitudes' ranks, twice as large so that mid-ranks are whole, of those that are not 0; how many, and
 * in *positive the sum of those whose difference is.
 */
static size_t double_ranks(const double *d, size_t n, size_t *rank, size_t *positive)
{
	size_t k = 0;

	*positive = 0;
	for (size_t i = 0; i < n; i++) {
		size_t below = 0, equal = 0;

		if (d[i] == 0)
			continue;
		for (size_t j = 0; j < n; j++) {
			below += d[j] != 0 && fabs(d[j]) < fabs(d[i]);
			equal += fabs(d[j]) == fabs(d[i]);
		}
		rank[k] = 2 * below + equal + 1;
		if (d[i] > 0)
			*positive += rank[k];
		k++;
	}
	return k;
}

/* P(sum of those ranks that fair coins choose = i), for 0 <= i <= total. Caller frees. */
static double *coin_sums(const size_t *rank, size_t n, size_t total)
{
	double *f = xcalloc(total + 1, sizeof(*f));

	f[0] = 1;
	for (size_t i = 0; i < n; i++)
		for (size_t s = total + 1; s-- > 0;)
			f[s] = (f[s] + (s >= rank[i] ? f[s - rank[i]] : 0)) / 2;
	return f;
}

static size_t sum_of(const size_t *rank, size_t n)
{
	size_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += rank[i];
	return sum;
}

double pairs_signed_rank_p(const double *d, size_t n)
{
	size_t *rank = xcalloc(n, sizeof(*rank)), positive, total, k;
	double *f, p = 0;

	k = double_ranks(d, n, rank, &positive);
	total = sum_of(rank, k);
	f = coin_sums(rank, k, total);
	/* Whole numbers, twice the distance from the mean. */
	for (size_t s = 0; s <= total; s++)
		if (llabs(2 * (long long)s - (long long)total) >=
		    llabs(2 * (long long)positive - (long long)total))
			p += f[s];
	free(f);
	free(rank);
	return fmin(p, 1);
}

double pairs_least_p(const double *d, size_t n)
{
	int told = 0;

	for (size_t i = 0; i < n; i++)
		told += d[i] != 0;
	return told ? ldexp(1, 1 - told) : 1;
}

size_t pairs_rank_cut(size_t n, double tail)
{
	size_t total = n * (n + 1) / 2, *rank, c = 0;
	double below = 0, *f;

	if (n > ENUMERATED) {
		double sd = sqrt((double)total * (double)(2 * n + 1) / 12);

		return (size_t)fmax(0, floor((double)total / 2 - gsl_cdf_ugaussian_Qinv(tail) * sd));
	}
	rank = xcalloc(n, sizeof(*rank));
	for (size_t i = 0; i < n; i++)
		rank[i] = i + 1;
	f = coin_sums(rank, n, total);
	while (c <= total && below + f[c] <= tail)
		below += f[c++];
	free(f);
	free(rank);
	return c;
}

static bool all_positive(const double *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!(x[i] > 0))
			return false;
	return n > 0;
}

/* Means of all two differences of logarithms, each with itself too, sorted. */
static double *walsh_means(const double *a, const double *b, size_t n)
{
	double *w = xcalloc(n * (n + 1) / 2, sizeof(*w));
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t j = i; j < n; j++)
			w[k++] = (log(b[i] / a[i]) + log(b[j] / a[j])) / 2;
	qsort(w, k, sizeof(*w), stats_by_value);
	return w;
}

struct interval pairs_ratio_ci(const double *a, const double *b, size_t n, double confidence)
{
	struct interval ci = {NAN, NAN, NAN, n};
	size_t total = n * (n + 1) / 2, c;
	double *w;

	if (!all_positive(a, n) || !all_positive(b, n))
		return ci;
	w = walsh_means(a, b, n);
	ci.point = exp(stats_median(w, total));
	c = pairs_rank_cut(n, (1 - confidence) / 2);
	if (c) {
		ci.low = exp(w[c - 1]);
		ci.high = exp(w[total - c]);
	}
	free(w);
	return ci;
}
