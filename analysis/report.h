/* SPDX-License-Identifier: MIT */
/* A report on a few runs: environment, results, exits, figures, claims, anomalies, provenance. */
#ifndef ANALYSIS_REPORT_H
#define ANALYSIS_REPORT_H

#include "analysis/figure.h"
#include "analysis/report_doc.h"

struct report_opts {
	enum doc_format format;
	const char *figure_dir; /* where figures are drawn; outlives the report unless the format is
				   DOC_HTML */
	const char *figure_ref; /* the same folder as the document refers to it */
	bool figures;
	const char *(*headline)(const char *workload); /* its metrics; NULL: not known */
};

/* The document as text into out. 0 or -errno, logged. */
int report_write(const struct fig_set *set, const struct report_opts *opts, struct strbuf *out);

/* Published figures next to ours; writes a table with a row for each claim. */
void report_claims(struct doc *d, const struct fig_set *set);
/* What a reader should know before trusting the numbers; returns how many were found. */
size_t report_anomalies(struct doc *d, const struct fig_set *set);

/* A value with its unit as people write it: "1.14 Gb/s", "320 us", "0.42". */
void report_value(const char *unit, double v, char *buf, size_t size);

#endif
