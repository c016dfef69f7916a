/* SPDX-License-Identifier: MIT */
/* Exits of a record by reason, over all keys: for the figures that draw them. */
#ifndef ANALYSIS_FIG_REASONS_H
#define ANALYSIS_FIG_REASONS_H

#include <jansson.h>
#include "base/hist.h"

struct reason {
	char name[48];
	double count, total_ns, fast_ns, slow_ns, user_ns, wait_ns, asleep_ns;
	bool hlt; /* a halted guest's, under whatever name */
	double p50_ns, p99_ns; /* over all keys with histograms, else of the most frequent key */
	double key_count;
	struct hist *hist; /* NULL without histograms */
};

struct reasons {
	struct reason *list;
	size_t n;
};
/* Add the record's exits, keys folded into their reason. */
void reasons_add(const json_t *rec, struct reasons *all);
void reasons_free(struct reasons *all);

#endif
