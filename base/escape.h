/* SPDX-License-Identifier: MIT */
/*
 * Plain text in the languages that we write, where none of it may mean anything: names come from
 * guests and files. A terminal's is one of them: it obeys what is no printable character.
 */
#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

#include <stdio.h>

#include "base/strbuf.h"

enum language {
	LANGUAGE_HTML, /* XML too, values of attributes in double quotes */
	LANGUAGE_MD,
	LANGUAGE_TEX,
	LANGUAGE_CSV,	      /* a field, in quotes where it needs them; never a formula to a spreadsheet */
	LANGUAGE_OPENMETRICS, /* a label's value, between its quotes */
	LANGUAGE_GNUPLOT,     /* a string, between its quotes */
	LANGUAGE_GNUPLOT_TIC, /* the same for the label of a tic, where gnuplot takes % for a format */
};

/*
 * In one line, of printable characters: a new line would end a cell or begin a list. The languages of
 * labels (OpenMetrics, gnuplot) have a word for it and keep it.
 */
void escape_text(struct strbuf *sb, enum language language, const char *text);
void print_escaped(FILE *out, enum language language, const char *text);
/* For people: one line, of printable characters; the new lines that fmt begins and ends with are kept. */
void print_plain(FILE *out, const char *fmt, ...) PRINTF(2, 3);

#endif
