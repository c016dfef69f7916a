/* SPDX-License-Identifier: MIT */
/*
 * Statistics of pairs whose order was drawn. When the two of a pair do not differ, their order is all that
 * tells them apart, whatever the machine did meanwhile: the signs of the differences are fair coins, and
 * the test below is exact under drifts and correlation from pair to pair.
 */
#ifndef ANALYSIS_PAIRS_H
#define ANALYSIS_PAIRS_H

#include "analysis/stats.h"

/*
 * Two-sided signed rank test (mid-ranks for ties) of n differences; those of 0 tell nothing. 1 when all
 * are.
 */
double pairs_signed_rank_p(const double *d, size_t n);
/* The smallest p that it can give to differences of these magnitudes, whatever their signs. */
double pairs_least_p(const double *d, size_t n);
/* The largest c with P(W < c) <= tail, W being the rank sum of the positive ones of n without ties. */
size_t pairs_rank_cut(size_t n, double tail);
/*
 * Ratio b/a by the median of the means of all two differences of logarithms (Hodges and Lehmann), with the
 * interval that inverts the test. Its ends are NAN when n pairs give none of this confidence, all of it when
 * a value is not positive.
 */
struct interval pairs_ratio_ci(const double *a, const double *b, size_t n, double confidence);

#endif
