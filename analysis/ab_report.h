/* SPDX-License-Identifier: MIT */
/* What bench ab says, for people and for programs. */
#ifndef ANALYSIS_AB_REPORT_H
#define ANALYSIS_AB_REPORT_H

#include "analysis/ab.h"

struct ab_names {
	const char *side[2], *run[2]; /* as typed; IDs of the records */
	char *series;
};

void ab_write_text(const struct ab *ab, const struct ab_names *names, const struct ab_opts *opts, FILE *out);
json_t *ab_json(const struct ab *ab, const struct ab_names *names, const struct ab_opts *opts);
/* Of two sides in virtual time, which a gate has judged. */
void ab_write_exact(const struct gate *g, const struct ab_names *names, FILE *out);
json_t *ab_exact_json(const struct gate *g, const struct ab_names *names);
/* "worse: exits_per_packet; open: throughput_bps, ...": what a look has to say, in a line. Caller frees. */
char *ab_line(const struct ab *ab);

#endif
