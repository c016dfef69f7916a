/* SPDX-License-Identifier: MIT */
/*
 * The two of bench ab. Each is the same plan of one cell, with what its side says: another build of a VMM, a
 * guest kernel, or settings. Their boots come in pairs whose order is drawn.
 */
#ifndef BENCH_PLAN_SIDES_H
#define BENCH_PLAN_SIDES_H

#include "bench/plan/plan.h"

struct side {
	char *text;                     /* as it was typed, paths from the root */
	struct run_args args;           /* the plan's, and what the side says */
	struct cell_programs programs;
};

/* VMM, VMM:VARIANT, VMM:PATH, kernel:NAME, or K=V[,K=V...]. 0 or -EINVAL (logged). */
int side_parse(struct side *s, const char *text, const struct run_args *args);
void side_free(struct side *s);

/* The plan of a side's one cell. 0, or -errno (logged) as plan_make. */
int side_plan(struct plan *p, const char *workload, const struct side *s);
/* Both cells in one plan, which lives no longer than they; args are those without a side. */
void sides_join(struct plan *p, const struct plan alone[2], const struct run_args *args);
void sides_free(struct plan *p);

#endif
