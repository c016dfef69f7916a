/* SPDX-License-Identifier: MIT */
/*
 * A plan under instruction counting: every repetition is a lab of its own, from power-on, with everything
 * in RAM. Two repetitions then agree in every count and every virtual nanosecond; one that does not is a
 * finding, never averaged in.
 */
#ifndef BENCH_RUN_DETERMINISTIC_H
#define BENCH_RUN_DETERMINISTIC_H

#include "bench/run/run.h"

/* As run_plan_in_lab; each record gains the check "deterministic". */
int run_plan_deterministic(const struct plan *p, struct store *store, const struct run_call *call,
			   struct run_result *out);

#endif
