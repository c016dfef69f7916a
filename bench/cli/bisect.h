/* SPDX-License-Identifier: MIT */
/* Which commit to try next: the search alone, without a commit. */
#ifndef BENCH_CLI_BISECT_H
#define BENCH_CLI_BISECT_H

#include "base/util.h"

enum bisect_state {
	BISECT_UNTRIED,
	BISECT_GOOD,
	BISECT_BAD,
	BISECT_SKIPPED, /* does not build or run, or could not be decided */
};

/* The oldest first; what is good or bad holds for all before or behind it. */
struct bisect {
	enum bisect_state *state;
	size_t n;
};

/* The last good one and the first bad one behind it; the former is SIZE_MAX when it lies before them all. */
void bisect_bounds(const struct bisect *b, size_t *good, size_t *bad);
/* The untried one nearest to the middle between the bounds, or SIZE_MAX when there is none. */
size_t bisect_next(const struct bisect *b);
/* Steps that are left at most, if none has to be skipped. */
unsigned bisect_steps(const struct bisect *b);

#endif
