/* SPDX-License-Identifier: MIT */
/* A growing list of strings that it owns; v[n] is NULL, so that it is an argv too. */
#ifndef BASE_STRLIST_H
#define BASE_STRLIST_H

#include "base/util.h"

struct strlist {
	char **v; /* NULL while nothing was added */
	size_t n;
};

#define STRLIST_INIT ((struct strlist){NULL, 0})

/* A copy of s. */
void strlist_add(struct strlist *l, const char *s);
/* s itself, which the list frees from now on. */
void strlist_take(struct strlist *l, char *s);
void strlist_addf(struct strlist *l, const char *fmt, ...) PRINTF(2, 3);
bool strlist_has(const struct strlist *l, const char *s);
/* A copy of s unless it is there. */
void strlist_add_once(struct strlist *l, const char *s);
void strlist_sort(struct strlist *l);
void strlist_free(struct strlist *l);

#endif
