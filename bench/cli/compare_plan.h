/* SPDX-License-Identifier: MIT */
/* `bench compare --plan`: all runs of one plan against those of another. */
#ifndef BENCH_CLI_COMPARE_PLAN_H
#define BENCH_CLI_COMPARE_PLAN_H

#include "results/query.h"

/*
 * Pairs the runs of the plans that base and changed belong to by their series, compares each pair,
 * and prints a line per metric: means over the pairs (harmonic for rates, else geometric),
 * geometric mean of the ratios, the extremes, and how many pairs are better or worse. Exit status.
 */
int compare_plans(struct store *s, const json_t *base, const json_t *changed, bool force);

#endif
