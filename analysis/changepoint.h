/* SPDX-License-Identifier: MIT */
/*
 * Levels of a nightly series: E-divisive means (Matteson and James 2014) found by bisection, each
 * split tested by permutation of the points around it. Deterministic.
 */
#ifndef ANALYSIS_CHANGEPOINT_H
#define ANALYSIS_CHANGEPOINT_H

#include "base/util.h"

#define CHANGE_MIN_SEGMENT   5	/* so that a single spike is never a level */
#define CHANGE_SETTLED	     10 /* points after it until a change is no longer provisional */
#define CHANGE_ALPHA	     0.01
#define CHANGE_MIN_MAGNITUDE 0.01 /* relative; smaller neighbours are one level */

struct change_point {
	size_t at;	      /* the first point of the new level */
	double before, after; /* medians of the level before and of the new one */
	double p;	      /* of the permutation test; 0 for an accepted one */
	bool provisional;     /* fewer than CHANGE_SETTLED points since */
	bool accepted;	      /* somebody said that this level is right from here on */
};

/*
 * x in order of time. accepted: positions at which a level was accepted, in rising order; they
 * always start a new level. min_magnitude < 0: the default. Returns the number of changes, in
 * order; the caller frees *out (NULL when none).
 */
size_t change_points(const double *x, size_t n, const size_t *accepted, size_t n_accepted,
		     double min_magnitude, struct change_point **out);

#endif
