/* SPDX-License-Identifier: MIT */
/*
 * Plain text in the languages that we write, where none of it may mean anything: names come from
 * guests and files. A terminal's is one of them: it obeys what is no printable character.
 */
#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

#include <stdio.h>

#include "base/strbuf.h"

/* HTML: XML too, values of attributes in double quotes */
enum language { LANGUAGE_HTML, LANGUAGE_MD, LANGUAGE_TEX };

/* In one line, of printable characters: a new line would end a cell or begin a list. */
void escape_text(struct strbuf *sb, enum language language, const char *text);
/* For people: one line, of printable characters; the new lines that fmt begins and ends with are kept. */
void print_plain(FILE *out, const char *fmt, ...) PRINTF(2, 3);

#endif
