/* SPDX-License-Identifier: MIT */
/* Exits of a record by reason, or by device, over all keys: for the figures that draw them. */
#ifndef ANALYSIS_FIG_REASONS_H
#define ANALYSIS_FIG_REASONS_H

#include <jansson.h>
#include "base/hist.h"
#include "results/record.h"

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
/* Under which name an exit is summed: its reason, or the register that it was for, where there is one. */
typedef const char *(*exit_name_fn)(const struct record_exit *e);
const char *exit_reason(const struct record_exit *e);
const char *exit_device(const struct record_exit *e);
/* Add the record's exits, those of one name together. */
void reasons_add(const json_t *rec, exit_name_fn name, struct reasons *all);
void reasons_free(struct reasons *all);

#endif
