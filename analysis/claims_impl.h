/* SPDX-License-Identifier: MIT */
/* What a claim is: shared by its judge and its table. */
#ifndef ANALYSIS_CLAIMS_IMPL_H
#define ANALYSIS_CLAIMS_IMPL_H

#include "analysis/claims.h"

enum claim_kind {
	COUNT,	  /* holds on every substrate */
	RATIO,	  /* of two records of one substrate, or of the two that the sides name */
	DIFFERENCE, /* likewise, of times or rates of real hardware */
	ABSOLUTE, /* a time or rate of real hardware */
};

/* Which record; NULL fits any. knobs are "name=value", with blanks between. */
struct claim_side {
	const char *mode, *vmm, *knobs;
	const char *substrate, *guest;
};

struct claim {
	const char *claim, *published;
	/* "exits.REASON" and "exits.REASON KEY" are counted from the exits of each boot. */
	const char *workload, *metric;
	enum claim_kind kind;
	double low, high;	   /* what counts as agreement */
	struct claim_side a, b;	   /* RATIO: metric(a) / metric(b); DIFFERENCE: metric(a) - metric(b) */
	const char *otherwise; /* why it may well not hold; NULL: nothing is known to be different */
	const char *per;       /* RATIO: b's metric where it is not a's */
	const char *never;     /* why no record can tell */
	enum claim_section section;
};

/* Ends with a claim of NULL. */
extern const struct claim claim_table[];

#endif
