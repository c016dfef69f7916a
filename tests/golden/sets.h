/* SPDX-License-Identifier: MIT */
/* Which synthetic records each figure is tried with. */
#ifndef GOLDEN_SETS_H
#define GOLDEN_SETS_H

#include "analysis/figure.h"
#include "tests/golden/fixture.h"

struct golden_set {
	const char *figure;
	const struct fixture *fixtures;
	size_t first, n; /* n 0: all */
};

/* One row for every figure; ends with a NULL figure. */
extern const struct golden_set golden_sets[];

void golden_load(const struct golden_set *g, struct fig_set *out);
void golden_free(struct fig_set *set);

#endif
