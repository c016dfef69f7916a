// SPDX-License-Identifier: MIT
#include <math.h>
#include <unistd.h>

#include "base/json.h"

static double number_or(const json_t *v, double otherwise)
{
	if (!json_is_number(v))
		return otherwise;
	return json_number_value(v);
}

static void read_member(const struct member *m, json_t *v, void *field)
{
	switch (m->kind) {
	case MEMBER_TEXT:
		*(const char **)field = text_or(json_string_value(v), "");
		break;
	case MEMBER_INT:
	case MEMBER_COUNT:
		*(int64_t *)field = (int64_t)json_integer_value(v);
		break;
	case MEMBER_NUMBER:
	case MEMBER_OR_ZERO:
		*(double *)field = number_or(v, 0);
		break;
	case MEMBER_OR_NAN:
		*(double *)field = number_or(v, NAN);
		break;
	case MEMBER_BOOL:
	case MEMBER_FLAG:
		*(bool *)field = json_is_true(v);
		break;
	case MEMBER_LIST:
	case MEMBER_MAP:
		*(json_t **)field = v;
		break;
	}
}

void members_read(const struct members *m, const json_t *object, void *to)
{
	for (size_t i = 0; i < m->n; i++)
		read_member(&m->v[i], json_object_get(object, m->v[i].name), (char *)to + m->v[i].offset);
}

json_t *json_real_or_null(double v)
{
	if (!isfinite(v))
		return json_null();
	return json_real(v);
}

char *json_text(const json_t *v)
{
	char *text;

	if (json_is_string(v))
		return xstrdup(json_string_value(v));
	text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
	if (!text)
		return xstrdup("");
	return text;
}

void json_print(const json_t *v, FILE *out, size_t flags)
{
	if (isatty(fileno(out)))
		flags |= JSON_ENSURE_ASCII;
	json_dumpf(v, out, flags);
	fputc('\n', out);
}

static json_t *write_member(const struct member *m, const void *field)
{
	switch (m->kind) {
	case MEMBER_TEXT:
		return json_string(*(const char *const *)field); /* NULL for NULL */
	case MEMBER_COUNT:
		if (!*(const int64_t *)field)
			return NULL;
		/* fall through */
	case MEMBER_INT:
		return json_integer((json_int_t) * (const int64_t *)field);
	case MEMBER_NUMBER:
	case MEMBER_OR_ZERO:
	case MEMBER_OR_NAN:
		return json_real_or_null(*(const double *)field);
	case MEMBER_FLAG:
		if (!*(const bool *)field)
			return NULL;
		/* fall through */
	case MEMBER_BOOL:
		return json_boolean(*(const bool *)field);
	case MEMBER_LIST:
	case MEMBER_MAP:
		return *(json_t *const *)field;
	}
	return NULL;
}

json_t *members_write(const struct members *m, const void *from)
{
	json_t *object = json_object();

	for (size_t i = 0; i < m->n; i++) {
		json_t *v = write_member(&m->v[i], (const char *)from + m->v[i].offset);

		if (v)
			json_object_set_new(object, m->v[i].name, v);
	}
	return object;
}

static bool is_of_kind(const json_t *v, enum member_kind kind)
{
	switch (kind) {
	case MEMBER_TEXT:
		return json_is_string(v);
	case MEMBER_INT:
	case MEMBER_COUNT:
		return json_is_integer(v);
	case MEMBER_OR_ZERO:
	case MEMBER_OR_NAN:
		if (json_is_null(v))
			return true;
		/* fall through */
	case MEMBER_NUMBER:
		return json_is_number(v) && isfinite(json_number_value(v));
	case MEMBER_BOOL:
	case MEMBER_FLAG:
		return json_is_boolean(v);
	case MEMBER_LIST:
		return json_is_array(v);
	case MEMBER_MAP:
		return json_is_object(v);
	}
	return false;
}

static const char *const not_of_kind[] = {
	[MEMBER_TEXT] = "not a string",
	[MEMBER_INT] = "not an integer",
	[MEMBER_COUNT] = "not an integer",
	[MEMBER_NUMBER] = "not a finite number",
	[MEMBER_OR_ZERO] = "not a finite number or null",
	[MEMBER_OR_NAN] = "not a finite number or null",
	[MEMBER_BOOL] = "not true or false",
	[MEMBER_FLAG] = "not true or false",
	[MEMBER_LIST] = "not an array",
	[MEMBER_MAP] = "not an object",
};

const char *members_wrong(const struct members *m, const json_t *object, const char **why)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct member *of = &m->v[i];
		const json_t *v = json_object_get(object, of->name);

		if (!v && !of->must)
			continue;
		if (v && is_of_kind(v, of->kind))
			continue;
		*why = v ? not_of_kind[of->kind] : "missing";
		return of->name;
	}
	return NULL;
}
