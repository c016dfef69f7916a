/* SPDX-License-Identifier: MIT */
/*
 * Records whose every name and text was written by someone who wants to be run, and what a reader of each
 * language that we write finds in our output: the words of the attack may be data only.
 */
#ifndef GOLDEN_HOSTILE_H
#define GOLDEN_HOSTILE_H

#include <jansson.h>

/* In every word of every attack, so that it is found wherever it ends. */
#define HOSTILE_MARK "PWN"
/* Breaks out of strings, comments, tags and cells of all languages that we write. */
extern const char hostile_text[];

/* attack is added to every text of the record, and to names that a guest or a stranger chooses. */
void hostile_record(json_t *rec, const char *attack);
/* A gnuplot script: the attack stands in double-quoted strings only, and nothing in them is run or replaced.
 * NULL, or the place where it is otherwise. */
const char *hostile_in_gp(const char *text);
/* HTML: in text, quoted values of attributes and strings of JSON only. SVG within counts as HTML. */
const char *hostile_in_html(const char *text);
/*
 * Markdown and TeX: none of the characters that mean something, but for those that are taken that meaning
 * from, in a line that holds a mark.
 */
const char *hostile_in_md(const char *text);
const char *hostile_in_tex(const char *text);

#endif
