/* SPDX-License-Identifier: MIT */
/* Between the files of the gate. */
#ifndef ANALYSIS_GATE_IMPL_H
#define ANALYSIS_GATE_IMPL_H

#include "analysis/gate.h"

/* In exact mode nothing has a floor that a file does not give it. */
struct gate_floor gate_floor_of(const struct gate_floors *f, const char *metric, bool exact);

/* Positive: worse, whichever direction that is. */
static inline double gate_worsening(const struct gate_row *r, double change)
{
	return r->better > 0 ? -change : change;
}

/* Every row by itself, then in the order of the changes. */
void gate_judge_exact(struct gate *g, const json_t *base, const json_t *screen);

#endif
