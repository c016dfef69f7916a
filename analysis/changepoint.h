/* SPDX-License-Identifier: MIT */
/*
 * Levels of a nightly series: E-divisive means (Matteson and James 2014) found by bisection, each split
 * tested against series without a step that are as correlated from night to night as this one. A straight
 * line competes with the steps: a slow drift is not a staircase. Deterministic.
 */
#ifndef ANALYSIS_CHANGEPOINT_H
#define ANALYSIS_CHANGEPOINT_H

#include "base/util.h"

#define CHANGE_MIN_SEGMENT   5	/* so that a single spike is never a level */
#define CHANGE_MIN_DRIFT     30 /* points that a drift needs */
#define CHANGE_SETTLED	     10 /* points after it until a change is no longer provisional */
#define CHANGE_ALPHA	     0.01
#define CHANGE_MIN_MAGNITUDE 0.01 /* relative; smaller neighbours are one level */
#define CHANGE_CORRELATED    0.3  /* from here on a series is said to be correlated */

/* Points start to end - 1. */
struct change_level {
	size_t start, end;
	bool drift;
	double from, to;  /* value at its start and at its end: equal unless it drifts */
	double p;	  /* of the test of the step at its start; 0 for the first and for an accepted one */
	bool provisional; /* begins with a step, and fewer than CHANGE_SETTLED points have followed */
	bool accepted;	  /* somebody said that this level is right from here on */
};

struct change_levels {
	struct change_level *v; /* in order, one after the other, all points; free with free */
	size_t n;
	double lag1; /* correlation of each point with the one before, beside the levels; 0 to 0.95 */
};

/*
 * x in order of time, n above 0. accepted: positions at which a level was accepted, in rising order; they
 * always start a new level. min_magnitude < 0: the default.
 */
struct change_levels change_levels(const double *x, size_t n, const size_t *accepted, size_t n_accepted,
				   double min_magnitude);

#endif
