/* SPDX-License-Identifier: MIT */
/* Published or taught figures, and whether records bear them out. */
#ifndef ANALYSIS_CLAIMS_H
#define ANALYSIS_CLAIMS_H

#include <jansson.h>
#include "base/util.h"

enum claim_state {
	CLAIM_HOLDS,	    /* of its whole interval */
	CLAIM_FAILS,
	CLAIM_CANNOT_TELL,  /* the interval holds both, or a time of a substrate whose time is not real */
	CLAIM_NOT_MEASURED, /* no record here says */
};
const char *claim_state_text(enum claim_state s); /* "yes", "no", "cannot tell", "not measured" */

struct claim_result {
	const char *claim, *published;
	char ours[160]; /* value with its interval; "" when not measured */
	enum claim_state state;
	char why[192]; /* why it cannot be told, or the command that would measure it */
};

enum claim_section {
	CLAIMS_GUESTS,	 /* device paths and guests as a whole */
	CLAIMS_HARDWARE, /* what one assistance of the processor does, by counts */
	CLAIMS_FIRECRACKER, /* what its SPECIFICATION.md promises */
	CLAIM_SECTIONS,
};
const char *claim_section_text(enum claim_section s); /* a heading */

/* One result per claim of the section; of several records that fit, the last given counts. The caller
 * frees *out. */
size_t claims_judge(json_t *const *rec, size_t n, enum claim_section section, struct claim_result **out);

#endif
