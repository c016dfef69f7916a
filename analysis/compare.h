/* SPDX-License-Identifier: MIT */
/* Two records, metric by metric. */
#ifndef ANALYSIS_COMPARE_H
#define ANALYSIS_COMPARE_H

#include <jansson.h>
#include "analysis/family.h"
#include "analysis/stats.h"

#define COMPARE_ALPHA 0.05 /* false discovery rate over the metrics of one comparison */

enum verdict {
	VERDICT_BETTER,
	VERDICT_WORSE,
	VERDICT_CHANGED,     /* of a metric that is neither good nor bad when high */
	VERDICT_NO_EVIDENCE, /* the interval holds no change */
	VERDICT_EQUAL,	     /* every value of both runs is the same */
	VERDICT_TOO_FEW,     /* fewer boots than an interval needs */
	VERDICT_TOO_MANY,    /* so many metrics that no change of this one could pass with these boots */
};
const char *verdict_text(enum verdict v);

struct compare_row {
	const char *metric;   /* belongs to the record */
	int better;	      /* as in struct metric_info */
	double base, changed; /* medians */
	/* Ratio changed/base, or their difference when a value is not positive. */
	struct interval effect;
	bool is_ratio, exact, bimodal;
	struct family_test test; /* rank sum test, within its family; p NAN with too few boots */
	size_t boots[2];
	double log_sd;	   /* of a boot's logarithm, within both sides */
	double detectable; /* the smallest ratio found in 4 of 5 such comparisons of as many metrics; NAN:
			      cannot be told, INFINITY: none is */
	enum verdict verdict;
};

struct compare_opts {
	uint64_t seed;
	const char *headline;	    /* the workload's metrics, which are tested first; NULL: not known */
	const char *const *metrics; /* NULL-terminated: only these, and only they are the family; NULL: all */
};

/*
 * Rows for the metrics that both records have, in the order of the table of metrics. With several
 * windows per boot the bootstrap is hierarchical and the test sees one value per boot. Records in
 * virtual time are compared exactly: any difference is a change. The caller frees *rows.
 */
size_t compare_records(const json_t *base, const json_t *changed, const struct compare_opts *opts,
		       struct compare_row **rows);

struct compare_difference {
	char *what, *base, *changed;
	bool blocking; /* measurements across it say nothing: substrate, time base, workload, guest,
			  kernels */
};
/* Blocking ones first. Free with compare_differences_free. */
size_t compare_differences(const json_t *base, const json_t *changed,
			   struct compare_difference **out);
/* "another substrate (host -> lab), another guest (linux -> micro)"; NULL when nothing blocks.
 * Caller frees. */
char *compare_blocking(const struct compare_difference *d, size_t n);
void compare_differences_free(struct compare_difference *d, size_t n);

/* One metric of one record, one value per boot (the median of its windows). The caller frees; NULL
 * and 0 when absent. */
double *compare_boot_values(const json_t *rec, const char *metric, size_t *n);

#endif
