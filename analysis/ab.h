/* SPDX-License-Identifier: MIT */
/*
 * Two builds, kernels or settings, A and B, booted in pairs whose order is drawn, and looked at a fixed
 * number of times: is B worse? Each look has its share of AB_ALPHA, so that of equal ones at most that part
 * is ever said to differ, however many metrics and looks; within a look the metrics are a family
 * (analysis/family.h).
 */
#ifndef ANALYSIS_AB_H
#define ANALYSIS_AB_H

#include "analysis/family.h"
#include "analysis/gate.h"

#define AB_ALPHA 0.01
#define AB_LIMIT_MAX 1000 /* pairs */

enum ab_result {
	AB_NO_EVIDENCE,
	AB_EQUAL, /* in every pair */
	AB_BETTER,
	AB_WORSE,
	AB_OPEN,    /* the interval still holds a worsening as large as the margin */
	AB_TOO_FEW, /* pairs for any verdict, whatever they hold */
};
const char *ab_result_text(enum ab_result r);

struct ab_row {
	const char *metric; /* belongs to the record of A */
	int better;
	double a, b;	       /* medians */
	struct interval ratio; /* B to A, with the confidence of the verdict */
	struct family_test test;
	struct gate_floor floor;
	enum ab_result result;
};

enum ab_verdict {
	AB_SAYS_NO_EVIDENCE,
	AB_SAYS_BETTER, /* something is, and nothing is worse */
	AB_SAYS_WORSE,
	AB_SAYS_UNDECIDED,
};
const char *ab_verdict_text(enum ab_verdict v);

struct ab {
	struct ab_row *row;
	size_t n;
	size_t pairs, failed;	/* good ones, and those that lack a good boot of A or B */
	size_t look, looks;	/* this one, from 1, of as many */
	size_t next;		/* pairs of the next look; 0: this was the last one */
	bool decided;		/* no more pairs are needed */
	enum ab_verdict verdict;
};

struct ab_opts {
	const char *const *metrics; /* NULL-terminated names; NULL: every one with a direction */
	const char *headline;	    /* of the workload; NULL: not known */
	const struct gate_floors *floors;
	double margin;		    /* relative worsening that has to be excluded; 0: none */
	size_t limit;		    /* pairs at most */
};

/* Pairs of the first look beyond as many, for a limit; 0 when there is none. */
size_t ab_next_look(size_t pairs, size_t limit);
size_t ab_count_looks(size_t limit);

/*
 * What the samples of a and b say after `rounds` rounds, which are those of a look or the limit. Records, or
 * whatever else has samples[]: of one pair are those with the same .boot. Free with ab_free; a outlives it.
 */
void ab_judge(struct ab *ab, const json_t *a, const json_t *b, size_t rounds, const struct ab_opts *opts);
void ab_free(struct ab *ab);

#endif
