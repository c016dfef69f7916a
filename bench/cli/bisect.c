// SPDX-License-Identifier: MIT
#include "bench/cli/bisect.h"

void bisect_bounds(const struct bisect *b, size_t *good, size_t *bad)
{
	*good = SIZE_MAX;
	*bad = b->n;
	for (size_t i = 0; i < b->n && *bad == b->n; i++) {
		if (b->state[i] == BISECT_GOOD)
			*good = i;
		else if (b->state[i] == BISECT_BAD)
			*bad = i;
	}
}

size_t bisect_next(const struct bisect *b)
{
	size_t good, bad, first, middle, best = SIZE_MAX, nearest = SIZE_MAX;

	bisect_bounds(b, &good, &bad);
	first = good + 1; /* 0 when all before are unknown */
	middle = first + (bad - first) / 2;
	for (size_t i = first; i < bad; i++) {
		size_t off = i > middle ? i - middle : middle - i;

		if (b->state[i] != BISECT_UNTRIED || off >= nearest)
			continue;
		nearest = off;
		best = i;
	}
	return best;
}

unsigned bisect_steps(const struct bisect *b)
{
	size_t good, bad, left;
	unsigned steps = 0;

	bisect_bounds(b, &good, &bad);
	for (left = bad - (good + 1); left; left /= 2)
		steps++;
	return steps;
}
