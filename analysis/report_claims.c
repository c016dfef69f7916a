// SPDX-License-Identifier: MIT
/* The table of claims in a report. */
#include <stdlib.h>

#include "analysis/claims.h"
#include "analysis/report.h"

void report_claims(struct doc *d, const struct fig_set *set)
{
	static const char *const header[] = {"claim/19", "published/15", "ours/19", "holds/7",
					     "why/29"};
	struct claim_result *r;
	size_t n = claims_judge(set->rec, set->n, &r);

	doc_heading(d, "Claims");
	doc_para(d,
		 "Published or taught figures against these runs. Counts hold on every substrate, "
		 "ratios within one; absolute "
		 "times and rates are judged only where time is real.");
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
	free(r);
}
