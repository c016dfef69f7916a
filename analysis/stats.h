/* SPDX-License-Identifier: MIT */
/* Statistics on plain arrays; deterministic for a given seed. Inputs are not modified. */
#ifndef ANALYSIS_STATS_H
#define ANALYSIS_STATS_H

#include "base/util.h"

struct interval {
	double point, low, high; /* low and high are NAN when n is too small */
	size_t n;
};

#define STATS_MIN_N 6 /* boots that a median interval needs */

double stats_median(const double *x, size_t n);
double stats_quantile(const double *x, size_t n, double q); /* type 7, as R's default */
double stats_mad(const double *x, size_t n);
/* Median with its 95 % bootstrap interval. */
struct interval stats_median_ci(const double *x, size_t n, uint64_t seed);
/* Ratio of medians b/a with its interval, bootstrapped on the log scale. */
struct interval stats_ratio_ci(const double *a, size_t na, const double *b, size_t nb, uint64_t seed);

#endif
