// SPDX-License-Identifier: MIT
/* The table of claims in a report. */
#include <stdlib.h>

#include "analysis/claims.h"
#include "analysis/report.h"

static void claims_table(struct doc *d, const struct claim_result *r, size_t n)
{
	static const char *const header[] = {"claim/19", "published/15", "ours/19", "holds/7",
					     "why/29"};

	doc_table_begin(d, ARRAY_SIZE(header), header);
	for (size_t i = 0; i < n; i++) {
		bool measured = r[i].state != CLAIM_NOT_MEASURED;

		doc_cell(d, r[i].claim);
		doc_cell(d, r[i].published);
		doc_cell(d, measured ? r[i].ours : "not in these runs");
		doc_cell(d, text_if(measured, claim_state_text(r[i].state)));
		doc_cell(d, r[i].why);
	}
	doc_table_end(d);
}

static bool any_measured(const struct claim_result *r, size_t n)
{
	while (n--)
		if (r[n].state != CLAIM_NOT_MEASURED)
			return true;
	return false;
}

static void guests_section(struct doc *d, const struct claim_result *r, size_t n)
{
	doc_heading(d, claim_section_text(CLAIMS_GUESTS));
	doc_para(d,
		 "Published or taught figures against these runs. Counts hold on every substrate, "
		 "ratios within one; absolute "
		 "times and rates are judged only where time is real.");
	claims_table(d, r, n);
}

/* Nothing at all of them is in most runs. */
static void hardware_section(struct doc *d, const struct claim_result *r, size_t n)
{
	if (!any_measured(r, n))
		return;
	doc_heading(d, claim_section_text(CLAIMS_HARDWARE));
	doc_para(d, "What one extension of the processor does to the exits of the same guest: mostly counts, which are "
		    "the code's on every substrate.");
	claims_table(d, r, n);
}

static void firecracker_section(struct doc *d, const struct claim_result *r, size_t n)
{
	if (!any_measured(r, n))
		return;
	doc_heading(d, claim_section_text(CLAIMS_FIRECRACKER));
	doc_para(d, "What its SPECIFICATION.md promises and marks as pending a test.");
	claims_table(d, r, n);
}

void report_claims(struct doc *d, const struct fig_set *set)
{
	static void (*const section[])(struct doc *, const struct claim_result *, size_t) = {
		guests_section, hardware_section, firecracker_section};
	struct claim_result *r;

	for (size_t i = 0; i < ARRAY_SIZE(section); i++) {
		size_t n = claims_judge(set->rec, set->n, (enum claim_section)i, &r);

		section[i](d, r, n);
		free(r);
	}
}
