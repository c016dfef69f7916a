/* SPDX-License-Identifier: MIT */
/*
 * How much two runs of the same programs differ beyond what their boots explain: the machine's state of
 * that hour, memory layout, neighbours. Boots of one run cannot show it. It is learned from the store,
 * from runs of one series whose programs and host kernel were the same in every byte (A/A pairs).
 */
#ifndef ANALYSIS_SPREAD_H
#define ANALYSIS_SPREAD_H

#include "analysis/stats.h"

struct store;

#define SPREAD_MIN_PAIRS 5 /* fewer say nothing about a spread */

struct spread {
	double sd;    /* of a run, as a logarithm: 0.02 is 2 %; NAN: not known */
	size_t pairs; /* independent A/A pairs that it comes from: three runs of one build are two */
};

/* One run: the logarithm of its median, the standard error of that (0: not known), and its build. */
struct spread_run {
	double log_median, error;
	size_t build;
};
/* Sorted by build. */
struct spread spread_of_runs(const struct spread_run *run, size_t n);

/*
 * Standard error of the logarithm of a ratio of two runs of na and nb boots, from its interval and the
 * spread, and the degrees of freedom that it is known with.
 */
struct spread_error {
	double error, df;
};
struct spread_error spread_error(const struct spread *s, const struct interval *ratio, size_t na,
				 size_t nb);
/*
 * Widens an interval of a ratio by the spread, and raises p to what the spread alone makes of such a ratio.
 * Nothing happens when the spread is not known.
 */
void spread_widen(const struct spread *s, struct interval *ratio, size_t na, size_t nb, double *p);

struct spreads {
	struct {
		char *metric;
		struct spread spread;
	} *v;
	size_t n;
};
/* Every metric of a series. 0 or -errno, logged; free with spreads_free. */
int spreads_learn(struct spreads *out, struct store *store, const char *series);
void spreads_free(struct spreads *s);
/* {NAN, 0} for a metric without any. */
struct spread spreads_find(const struct spreads *s, const char *metric);

#endif
