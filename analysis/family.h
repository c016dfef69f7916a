/* SPDX-License-Identifier: MIT */
/*
 * Many metrics of one comparison, tested together. Half of the rate of false discoveries goes to the
 * workload's headline metrics, so that a long tail of others does not take their power, and half to the
 * others; each half by Benjamini and Hochberg over its own. Metrics that are neither good nor bad when
 * high raise no alarm: they are tested apart and take nothing from those that do. What cannot pass at
 * all leaves the family: its smallest possible p follows from the values alone, whichever run they
 * belong to (Tarone 1990).
 */
#ifndef ANALYSIS_FAMILY_H
#define ANALYSIS_FAMILY_H

#include "base/util.h"

enum family_part {
	FAMILY_HEADLINE,
	FAMILY_OTHER,
	FAMILY_ASIDE, /* without a direction */
};
#define FAMILY_PARTS (FAMILY_ASIDE + 1)

struct family_test {
	enum family_part part;
	double p;	/* of this test by itself; NAN: not tested */
	double least_p; /* the smallest that its values allow */
	/* From family_adjust; both NAN when the test has left the family. */
	double adjusted; /* passes when at most the rate */
	double cut;	 /* the largest p that passes when no other test does */
};

/* headline: the metrics of the workload, with blanks between; NULL: none is known. */
enum family_part family_part_of(const char *metric, int better, const char *headline);
void family_adjust(struct family_test *t, size_t n, double rate);
/* It is in the family, and no values whatever could have let it pass alone. */
bool family_too_large(const struct family_test *t);

#endif
