/* SPDX-License-Identifier: MIT */
/*
 * Pages from .html files with named places, which are part of the program (assets.h). A file has parts,
 * each below a line <!-- part NAME -->; in a part {{place}} stands for a text, escaped, and {{&place}} for
 * HTML as it is.
 */
#ifndef ANALYSIS_PAGE_H
#define ANALYSIS_PAGE_H

#include "base/strbuf.h"

/*
 * The part with its places filled: pairs of a place and its text, ended by NULL. A place without a
 * pair is our bug.
 */
void page_add(struct strbuf *out, const char *html, const char *part, ...) __attribute__((sentinel));

#endif
