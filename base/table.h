/* SPDX-License-Identifier: MIT */
/* Aligned text tables: cells are collected first, widths found, then printed. UTF-8 aware. */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include <stdio.h>
#include "base/util.h"

struct table;

/* Columns as "name:" (left) or ":name" (right aligned), e.g. table_new(3, "mode:", ":Gb/s", ":exits/s"). */
struct table *table_new(int columns, ...);
/* The same from a NULL-terminated array. */
struct table *table_new_from(const char *const *names);
/* Append one cell; rows fill from left to right. */
void table_cell(struct table *t, const char *fmt, ...) PRINTF(2, 3);
/* Print with a header line (bold on a terminal) and free. */
void table_print(struct table *t, FILE *out);
/* The same on its side (a row becomes a column) when it has few rows and is wider than the terminal. */
void table_print_fit(struct table *t, FILE *out);
#define TABLE_ROOM 160 /* columns where there is no terminal */

/* "1.23 G", "456", "78.9 k": three significant digits with an SI prefix, into a static ring of buffers. */
const char *fmt_si(double v);
/* "1.23 ms", "456 ns". */
const char *fmt_ns(double ns);

#endif
