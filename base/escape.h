/* SPDX-License-Identifier: MIT */
/*
 * Plain text in the languages that we write, where none of it may mean anything: names come from
 * guests and files.
 */
#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

#include "base/strbuf.h"

/* HTML: XML too, values of attributes in double quotes */
enum language { LANGUAGE_HTML, LANGUAGE_MD, LANGUAGE_TEX };

/* In one line, of printable characters: a new line would end a cell or begin a list. */
void escape_text(struct strbuf *sb, enum language language, const char *text);

#endif
