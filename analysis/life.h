/* SPDX-License-Identifier: MIT */
/* The life of one packet (.samples[].life of a record) as text, and whether it can be believed. */
#ifndef ANALYSIS_LIFE_H
#define ANALYSIS_LIFE_H

#include <stdio.h>
#include "results/record.h"

#define LIFE_TOLERANCE 0.05 /* of the sum of the steps beside the latency that the guest measured */

struct life_check {
	double sum_ns, measured_ns;
	bool within;
};

/* The first good sample of a record that has a trip; false with *why set (not to be freed): none has. */
bool life_find(const json_t *rec, struct record_sample *s, struct record_life *life, const char **why);
struct life_check life_check(const struct record_sample *s, const struct record_life *life);
/* The cell of the record without who looked on. Caller frees. */
char *life_cell(const json_t *rec);
/* "guest", "KVM", "VMM": a lane as people write it, and its place among LIFE_LANES. */
#define LIFE_LANES 6
size_t life_lane(const char *name);
extern const char *const life_lane_titles[LIFE_LANES];
/* The ladder with its numbers, times and sums, and the check. */
void life_print(const json_t *rec, const struct record_sample *s, const struct record_life *life, FILE *out);
/* Which run, the check, the steps. */
json_t *life_json(const json_t *rec, const struct record_sample *s, const struct record_life *life);

#endif
