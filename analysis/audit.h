/* SPDX-License-Identifier: MIT */
/*
 * What a reader should ask of a benchmark, answered from its record alone: Heiser's "Systems Benchmarking
 * Crimes" and Gregg's checklist for performance numbers.
 */
#ifndef ANALYSIS_AUDIT_H
#define ANALYSIS_AUDIT_H

#include "analysis/report_doc.h"
#include "analysis/figure.h"

enum audit_answer {
	AUDIT_YES,
	AUDIT_NO,
	AUDIT_UNKNOWN, /* the record does not tell */
};
const char *audit_answer_text(enum audit_answer a);

#define AUDIT_QUESTIONS 14

struct audit_row {
	const char *from;     /* who asks */
	const char *question; /* "yes" is what one hopes for */
	enum audit_answer answer;
	char detail[256];
};

/* All of them, in their order. headline: the workload's metrics, with blanks between; NULL: not known. */
void audit_record(const json_t *rec, const char *headline, struct audit_row row[AUDIT_QUESTIONS]);
json_t *audit_json(const struct audit_row row[AUDIT_QUESTIONS]);

/* A table with a column for each record, and what is behind each answer that is not "yes". */
void audit_report(struct doc *d, const struct fig_set *set, const char *(*headline)(const char *workload));

#endif
