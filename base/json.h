/* SPDX-License-Identifier: MIT */
/*
 * JSON objects whose members a list names once. From
 *
 *   #define POINT_MEMBERS(M, S) M(S, NUMBER, x, MUST) M(S, TEXT, label, MAY)
 *
 * come the struct, its reader and its writer, and what is wrong with an object of a stranger:
 *
 *   struct point { POINT_MEMBERS(MEMBER_FIELD, ) };
 *   static const struct member point_member[] = {POINT_MEMBERS(MEMBER_ROW, struct point)};
 *
 *   TEXT     const char *; "" when it is absent, not written when it is NULL
 *   INT      int64_t
 *   COUNT    int64_t that is not written when it is 0
 *   NUMBER   double
 *   OR_ZERO  double that may be null or absent: 0
 *   OR_NAN   double that may be null or absent: NAN, which is written as null
 *   BOOL     bool
 *   FLAG     bool that is written only when it is true
 *   LIST     json_t *, an array; NULL is not written
 *   MAP      json_t *, an object; NULL is not written
 *
 * MUST: an object without it is refused. MAY: it is not.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>
#include <stdio.h>

#include "base/util.h"

enum member_kind {
	MEMBER_TEXT,
	MEMBER_INT,
	MEMBER_COUNT,
	MEMBER_NUMBER,
	MEMBER_OR_ZERO,
	MEMBER_OR_NAN,
	MEMBER_BOOL,
	MEMBER_FLAG,
	MEMBER_LIST,
	MEMBER_MAP,
};
enum { MEMBER_MAY, MEMBER_MUST };

struct member {
	const char *name;
	enum member_kind kind;
	bool must;
	size_t offset; /* in the struct */
};

#define MEMBER_TYPE_TEXT    const char *
#define MEMBER_TYPE_INT     int64_t
#define MEMBER_TYPE_COUNT   int64_t
#define MEMBER_TYPE_NUMBER  double
#define MEMBER_TYPE_OR_ZERO double
#define MEMBER_TYPE_OR_NAN  double
#define MEMBER_TYPE_BOOL    bool
#define MEMBER_TYPE_FLAG    bool
#define MEMBER_TYPE_LIST    json_t *
#define MEMBER_TYPE_MAP     json_t *

#define MEMBER_FIELD(S, kind, name, need) MEMBER_TYPE_##kind name;
#define MEMBER_ROW(S, kind, name, need) {#name, MEMBER_##kind, MEMBER_##need, offsetof(S, name)},
#define MEMBER_NAME(S, kind, name, need) #name,

/* The name of one, where a single member is set: one that the struct lacks does not compile. */
#define MEMBER_KEY(S, name) ((void)sizeof(((S *)NULL)->name), #name)

struct members {
	const struct member *v;
	size_t n;
};

/*
 * Texts, lists and objects belong to the JSON still. What is absent or of another type reads as said
 * above.
 */
void members_read(const struct members *m, const json_t *object, void *to);
/* A new object; it takes over the lists and objects. */
json_t *members_write(const struct members *m, const void *from);
/* What is no number (no interval, no time) is null. */
json_t *json_real_or_null(double v);
/* As a document of its own; to a terminal in ASCII, because a record's texts must not command it. */
void json_print(const json_t *v, FILE *out, size_t flags);
/* A text as it is, anything else as compact JSON. Caller frees. */
char *json_text(const json_t *v);
/* The first member that is missing or of another type, and what is wrong with it; NULL when all is well. */
const char *members_wrong(const struct members *m, const json_t *object, const char **why);

#endif
