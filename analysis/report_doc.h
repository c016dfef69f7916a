/* SPDX-License-Identifier: MIT */
/* A document written as HTML, Markdown or LaTeX through one set of calls. Text is plain; each
 * format escapes it. */
#ifndef ANALYSIS_REPORT_DOC_H
#define ANALYSIS_REPORT_DOC_H

#include "base/escape.h"

enum doc_format { DOC_HTML = LANGUAGE_HTML, DOC_MD = LANGUAGE_MD, DOC_TEX = LANGUAGE_TEX };

struct doc {
	enum doc_format format;
	struct strbuf out;
	unsigned figures;
	/* The table being written. */
	size_t columns, cell;
	bool header, wraps;
	unsigned long right; /* bit per column */
};

void doc_begin(struct doc *d, enum doc_format format, const char *title);
void doc_end(struct doc *d);
void doc_heading(struct doc *d, const char *text);
void doc_subheading(struct doc *d, const char *text);
void doc_para(struct doc *d, const char *text);
void doc_item_begin(struct doc *d);
void doc_item(struct doc *d, const char *text);
void doc_item_end(struct doc *d);
/* Columns as in base/table.h: ":name" is right aligned; the text of "name/28" wraps in 28 % of a tex
 * page. The first row is the header. */
void doc_table_begin(struct doc *d, size_t columns, const char *const *header);
void doc_cell(struct doc *d, const char *text);
/* A value above its interval (may be ""). */
void doc_cell_value(struct doc *d, const char *value, const char *interval);
void doc_table_end(struct doc *d);
/* svg: its text for HTML; path: relative to the document for the other formats. */
void doc_figure(struct doc *d, const char *svg, const char *path, const char *caption);

#endif
