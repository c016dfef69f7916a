/* SPDX-License-Identifier: MIT */
/* Statistics on plain arrays; deterministic for a given seed. Inputs are not modified and need not
 * be sorted. */
#ifndef ANALYSIS_STATS_H
#define ANALYSIS_STATS_H

#include "results/record.h"

#define STATS_MIN_N 6 /* boots that an interval needs */
#define STATS_RESAMPLES                                                                            \
	10000 /* of every bootstrap and of permutations that cannot be enumerated                  \
	       */

/* NAN when n is 0. */
double stats_mean(const double *x, size_t n);
/* For qsort of doubles: the least first. */
int stats_by_value(const void *a, const void *b);
double stats_median(const double *x, size_t n);
double stats_quantile(const double *x, size_t n, double q); /* type 7, as R's default */
/* Median absolute deviation from the median, not scaled (1.4826 times it estimates sigma of a
 * normal). */
double stats_mad(const double *x, size_t n);
/* Means for rates and for ratios; NAN when a value is not positive. */
double stats_harmonic_mean(const double *x, size_t n);
double stats_geometric_mean(const double *x, size_t n);

/* Median with its 95 % interval: order statistics, interpolated after Hettmansperger and Sheather
 * (1986). The bootstrap of one median covers only 93 to 94 % with 6 to 40 boots. */
struct interval stats_median_ci(const double *x, size_t n);
/* Ratio of medians b/a with its 95 % interval, bootstrapped on the log scale. NAN when a value is
 * not positive. Covers 95 to 97.5 % with 6 to 40 boots of normal, log-normal and bimodal data
 * (simulated). */
struct interval stats_ratio_ci(const double *a, size_t na, const double *b, size_t nb,
			       uint64_t seed);
/* Difference of medians b - a likewise, for what may be zero. */
struct interval stats_difference_ci(const double *a, size_t na, const double *b, size_t nb,
				    uint64_t seed);

/* Windows grouped by boot: values of boot i are x[start[i]] .. x[start[i + 1] - 1]; boots + 1
 * starts. */
struct stats_nested {
	const double *x;
	const size_t *start;
	size_t boots;
};
/* Hierarchical bootstrap: boots are drawn, then windows within each. n is the number of boots. */
struct interval stats_nested_ratio_ci(const struct stats_nested *a, const struct stats_nested *b,
				      uint64_t seed);

/*
 * Ratio b/a by the Hodges-Lehmann shift of the logarithms, with the interval that inverts the rank
 * sum test: exact for any distribution: it covers at least what confidence (0.95) asks. It needs a
 * third fewer boots than the ratio of medians to see the same effect.
 */
struct interval stats_hl_ratio_ci(const double *a, size_t na, const double *b, size_t nb,
				  double confidence);

/*
 * Two-sided rank sum test (mid-ranks for ties), insensitive to outliers: a permutation test of the
 * difference of mean ranks over all permutations when there are no more than STATS_RESAMPLES, else
 * over that many drawn ones, (hits + 1) / (drawn + 1).
 */
double stats_ranksum_p(const double *a, size_t na, const double *b, size_t nb, uint64_t seed);
/* The smallest p of that test over all ways to give these values, ties included, to na and nb boots. */
double stats_ranksum_least_p(const double *a, size_t na, const double *b, size_t nb);
/* Of na x nb pairs without ties the test finds p = 2 tail or less when fewer than this many are out of
 * order. */
size_t stats_rank_cut(size_t na, size_t nb, double tail);
/* Benjamini-Hochberg: adjusted p values; may be in place. */
void stats_adjust_bh(const double *p, size_t n, double *adjusted);

/* Two modes, each with a fifth of the values at least and 1 % apart, and so clearly that under 1 %
 * of normal or log-normal samples of this size look like it. Never below STATS_MIN_N. */
bool stats_bimodal(const double *x, size_t n);

/*
 * For what may be zero and has no ratio: lifts all values of both by as much as makes the smallest half of
 * the smallest step above it. Lifting by 1 would hide what happens to metrics that are fractions.
 */
void stats_lift(double *a, size_t na, double *b, size_t nb);

/* The smallest ratio above 1 that a comparison with this interval finds in 4 of 5 repetitions; NAN
 * without interval. */
double stats_detectable_ratio(const struct interval *ratio);

#endif
