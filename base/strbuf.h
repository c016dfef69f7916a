/* SPDX-License-Identifier: MIT */
/* A growing string; always NUL-terminated once anything was added. */
#ifndef BASE_STRBUF_H
#define BASE_STRBUF_H

#include "base/util.h"

struct strbuf {
	char *buf;
	size_t len, cap;
};

#define STRBUF_INIT {NULL, 0, 0}

void strbuf_add(struct strbuf *sb, const void *data, size_t len);
void strbuf_adds(struct strbuf *sb, const char *s);
void strbuf_addc(struct strbuf *sb, char c);
/* Between the items of a list: sep, unless nothing stands there yet. */
void strbuf_sep(struct strbuf *sb, const char *sep);
void strbuf_addf(struct strbuf *sb, const char *fmt, ...) PRINTF(2, 3);
/* Never NULL. */
const char *strbuf_str(const struct strbuf *sb);
/* Hand the string over to the caller, who frees it; sb is empty afterwards. */
char *strbuf_take(struct strbuf *sb);
/* Take the first n bytes away. */
void strbuf_cut(struct strbuf *sb, size_t n);
void strbuf_reset(struct strbuf *sb);
void strbuf_free(struct strbuf *sb);

#endif
