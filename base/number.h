/* SPDX-License-Identifier: MIT */
/* Numbers that may be missing. */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <math.h>

/* part / whole, or the other where there is no whole: 0. */
static inline double ratio_or(double part, double whole, double otherwise)
{
	return whole != 0 ? part / whole : otherwise;
}

/* The value, or the other where it is no number or has no end. */
static inline double finite_or(double v, double otherwise)
{
	return isfinite(v) ? v : otherwise;
}

#endif
