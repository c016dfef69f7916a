// SPDX-License-Identifier: MIT
/* Tests of stats.h: permutations of ranks, many metrics at once, two modes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/stats.h"
#include "base/number.h"
#include "base/rng.h"


/* Sums within 1e-12 of each other are the same sum added up in another order. */
static bool at_least(double v, double bound)
{
	return v >= bound - 1e-12 * MAX(1, fabs(bound));
}

/* |sum of the chosen - what they would have on average|: equivalent to the difference of means. */
static double distance(double sum, double total, size_t na, size_t n)
{
	return fabs(sum - total * (double)na / (double)n);
}

static bool few_permutations(size_t na, size_t n)
{
	double c = 1;

	for (size_t i = 1; i <= na && c <= STATS_RESAMPLES; i++)
		c = c * (double)(n - na + i) / (double)i;
	return c <= STATS_RESAMPLES;
}

/* Next combination of na out of n positions in lexical order. */
static bool next_choice(size_t *pick, size_t na, size_t n)
{
	size_t i = na;

	while (i && pick[i - 1] == n - na + i - 1)
		i--;
	if (!i)
		return false;
	pick[i - 1]++;
	for (; i < na; i++)
		pick[i] = pick[i - 1] + 1;
	return true;
}

static double enumerated_p(const double *v, size_t na, size_t n, double total, double observed)
{
	size_t *pick = xcalloc(na, sizeof(*pick));
	double hits = 0, all = 0;

	for (size_t i = 0; i < na; i++)
		pick[i] = i;
	do {
		double sum = 0;

		for (size_t i = 0; i < na; i++)
			sum += v[pick[i]];
		hits += at_least(distance(sum, total, na, n), observed);
		all++;
	} while (next_choice(pick, na, n));
	free(pick);
	return hits / all;
}

static double drawn_p(double *v, size_t na, size_t n, double total, double observed, uint64_t seed)
{
	size_t hits = 0;
	struct rng r;

	rng_seed(&r, seed);
	for (size_t k = 0; k < STATS_RESAMPLES; k++) {
		double sum = 0;

		for (size_t i = 0; i < na; i++) {
			size_t j = i + rng_below(&r, (uint32_t)(n - i));
			double swap = v[j];

			v[j] = v[i];
			v[i] = swap;
			sum += swap;
		}
		hits += at_least(distance(sum, total, na, n), observed);
	}
	return (double)(hits + 1) / (STATS_RESAMPLES + 1);
}

static double *joined(const double *a, size_t na, const double *b, size_t nb)
{
	double *v = xcalloc(na + nb, sizeof(*v));

	memcpy(v, a, na * sizeof(*v));
	if (nb)
		memcpy(v + na, b, nb * sizeof(*v));
	return v;
}

static double permutation_p(double *v, size_t na, size_t n, uint64_t seed)
{
	double total = 0, sum = 0, observed;

	for (size_t i = 0; i < n; i++) {
		total += v[i];
		if (i < na)
			sum += v[i];
	}
	observed = distance(sum, total, na, n);
	if (few_permutations(na, n))
		return enumerated_p(v, na, n, total, observed);
	return drawn_p(v, na, n, total, observed, seed);
}

/* Replace values by their ranks, ties by the mean of theirs. O(n^2) is nothing beside the
 * permutations. */
static void to_ranks(const double *v, double *rank, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t below = 0, equal = 0;

		for (size_t j = 0; j < n; j++) {
			below += v[j] < v[i];
			equal += v[j] == v[i];
		}
		rank[i] = (double)below + ((double)equal + 1) / 2;
	}
}

double stats_ranksum_p(const double *a, size_t na, const double *b, size_t nb, uint64_t seed)
{
	double *v, *rank, p;

	if (!na || !nb)
		return NAN;
	v = joined(a, na, b, nb);
	rank = xcalloc(na + nb, sizeof(*rank));
	to_ranks(v, rank, na + nb);
	p = permutation_p(rank, na, na + nb, seed);
	free(v);
	free(rank);
	return p;
}

static double choose(size_t n, size_t k)
{
	return exp(lgamma((double)n + 1) - lgamma((double)k + 1) - lgamma((double)(n - k) + 1));
}

/* Ways to pick na of the sorted ranks with the smallest sum: those tied at the border may change places. */
static double ways_of_lowest(const double *sorted, size_t na, size_t n)
{
	size_t first = na - 1, end = na;

	while (first > 0 && sorted[first - 1] == sorted[na - 1])
		first--;
	while (end < n && sorted[end] == sorted[na - 1])
		end++;
	return choose(end - first, na - first);
}

static double sum_of(const double *x, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += x[i];
	return sum;
}

static double least_of_ranks(double *rank, size_t na, size_t n)
{
	double total = sum_of(rank, n), ways = 0, low, high;

	qsort(rank, n, sizeof(*rank), stats_by_value);
	low = distance(sum_of(rank, na), total, na, n);
	high = distance(sum_of(rank + n - na, na), total, na, n);
	if (at_least(low, high))
		ways += ways_of_lowest(rank, na, n);
	/* The na highest are what the n - na lowest leave. */
	if (at_least(high, low))
		ways += ways_of_lowest(rank, n - na, n);
	return ways / choose(n, na);
}

double stats_ranksum_least_p(const double *a, size_t na, const double *b, size_t nb)
{
	size_t n = na + nb;
	double *v, *rank, p;

	if (!na || !nb)
		return NAN;
	v = joined(a, na, b, nb);
	rank = xcalloc(n, sizeof(*rank));
	to_ranks(v, rank, n);
	p = MIN(1, least_of_ranks(rank, na, n));
	free(v);
	free(rank);
	/* Drawn permutations count themselves. */
	if (few_permutations(na, n))
		return p;
	return MAX(p, 1.0 / (STATS_RESAMPLES + 1));
}

struct ranked {
	double p;
	size_t at;
};

static int by_p(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	return (x->p > y->p) - (x->p < y->p);
}

void stats_adjust_bh(const double *p, size_t n, double *adjusted)
{
	struct ranked *r = xcalloc(n, sizeof(*r));
	double least = 1;

	for (size_t i = 0; i < n; i++)
		r[i] = (struct ranked){p[i], i};
	if (n)
		qsort(r, n, sizeof(*r), by_p);
	for (size_t i = n; i-- > 0;) {
		least = MIN(least, r[i].p * (double)n / (double)(i + 1));
		adjusted[r[i].at] = least;
	}
	free(r);
}

/* ---- two modes ---- */

/*
 * Share of the variance that the best cut into two groups explains, and the cut. 99.5 % of normal
 * and of log-exponential samples of n stay below the limit (40,000 simulated samples for each n).
 */
static const struct {
	double n, limit;
} cut_limit[] = {
	{6, 0.980},  {8, 0.954},  {10, 0.9345},	 {12, 0.908},  {15, 0.886},  {20, 0.856},
	{30, 0.818}, {50, 0.776}, {100, 0.7335}, {200, 0.703}, {500, 0.677}, {1e9, 0.637},
};

static double limit_for(size_t n)
{
	size_t i = 1;
	double t;

	while (cut_limit[i].n < (double)n)
		i++;
	/* Linear in 1/n. */
	t = (1 / (double)n - 1 / cut_limit[i].n) / (1 / cut_limit[i - 1].n - 1 / cut_limit[i].n);
	return cut_limit[i].limit + t * (cut_limit[i - 1].limit - cut_limit[i].limit);
}

static double best_cut(const double *s, size_t n, size_t *cut)
{
	size_t least = MAX(2, (n + 4) / 5);
	double mean = stats_mean(s, n), all = 0, left = 0, best = 0;

	for (size_t i = 0; i < n; i++)
		all += (s[i] - mean) * (s[i] - mean);
	for (size_t k = 1; k + least <= n; k++) {
		double between;

		left += s[k - 1] - mean;
		if (k < least)
			continue;
		between = left * left / (double)k + left * left / (double)(n - k);
		if (between > best) {
			best = between;
			*cut = k;
		}
	}
	return ratio_or(best, all, 0);
}

bool stats_bimodal(const double *x, size_t n)
{
	/* Quantised values that differ by less than this are one mode to anybody who reads them. */
	const double least_distance = 0.01;
	double *s, share;
	size_t cut = 0;
	bool logs, two;

	if (n < STATS_MIN_N)
		return false;
	s = joined(x, n, NULL, 0);
	qsort(s, n, sizeof(*s), stats_by_value);
	logs = s[0] > 0;
	for (size_t i = 0; logs && i < n; i++)
		s[i] = log(s[i]);
	share = best_cut(s, n, &cut);
	two = cut && share > limit_for(n) &&
	      (!logs || stats_median(s + cut, n - cut) - stats_median(s, cut) > least_distance);
	free(s);
	return two;
}
