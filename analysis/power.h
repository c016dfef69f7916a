/* SPDX-License-Identifier: MIT */
/* What a comparison or a gate could have found: simulated with normal boots, always the same ones. */
#ifndef ANALYSIS_POWER_H
#define ANALYSIS_POWER_H

#include "analysis/spread.h"

#define POWER_WANTED 0.8 /* "detectable" is what is found in 4 of 5 repetitions */

/*
 * Standard deviation of the logarithms within both samples, pooled, and a little more: where the estimate is
 * too small, more power is lost than is won where it is too large. NAN when a value is not positive.
 */
double power_log_sd(const double *a, size_t na, const double *b, size_t nb);

/*
 * The smallest shift, in standard deviations of a boot, that a two-sided rank sum test finds when it has
 * to reach p. INFINITY when no values reach it.
 */
double power_rank_shift(size_t na, size_t nb, double p);

/* One metric of a gate. */
struct power_gate {
	size_t base, screen, confirm; /* boots */
	double log_sd;		      /* of a boot */
	double cut;		      /* p that the screening has to reach */
	double floor;		      /* logarithm of the ratio that has to be passed */
	struct spread between;	      /* runs */
};
/* Logarithm of the ratio to the worse that screening and confirmation both find in 4 of 5 gates. */
double power_gate_shift(const struct power_gate *g);

#endif
