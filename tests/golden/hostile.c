// SPDX-License-Identifier: MIT
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "tests/golden/hostile.h"

const char hostile_text[] = "PWN`touch PWN`\"; system('touch PWN')\nset print 'PWN'\n!touch PWN\r@fill1@PWN'\\\"PWN"
			    "<script src=//PWN></script>\"onload=PWN '><img/src=PWN>--></script></style><PWN>"
			    "[PWN](javascript:PWN) ![PWN](PWN) |PWN| **PWN** _PWN_ &PWN; $PWN$ \\input{PWN}%PWN\x1b]0;PWN\a"
			    "\xc2\x9b" "31mPWN\x9b" "31mPWN";

static char *with(const char *s, const char *attack)
{
	return xasprintf("%s%s", s, attack);
}

/* Objects whose names are not the schema's. */
static bool free_names(const char *key)
{
	static const char *const keys[] = {"knobs", "params", "hists", "metrics", "summary", "environment"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!strcmp(key, keys[i]))
			return true;
	return false;
}

static void spoil(json_t *v, const char *key, const char *attack);

/* Each entry stays, so that there is something to draw, and has a hostile twin. */
static void spoil_names(json_t *object, const char *attack)
{
	json_t *twins = json_object(), *v;
	const char *name;

	json_object_foreach (object, name, v) {
		char *twin = with(name, attack);

		if (json_object_set_new_nocheck(twins, twin, json_deep_copy(v)))
			abort();
		free(twin);
	}
	json_object_update(object, twins);
	json_decref(twins);
}

static void spoil_object(json_t *object, const char *attack)
{
	const char *key;
	json_t *v;

	json_object_foreach (object, key, v) {
		if (json_is_string(v) && strcmp(key, "started") && strcmp(key, "substrate") &&
		    strcmp(key, "time_base")) {
			char *s = with(json_string_value(v), attack);

			json_string_set_nocheck(v, s);
			free(s);
		} else {
			spoil(v, key, attack);
		}
	}
}

static void spoil(json_t *v, const char *key, const char *attack)
{
	json_t *item;
	size_t i;

	if (json_is_object(v)) {
		spoil_object(v, attack);
		if (free_names(key))
			spoil_names(v, attack);
	}
	json_array_foreach (v, i, item)
		spoil(item, key, attack);
}

void hostile_record(json_t *rec, const char *attack)
{
	spoil(rec, "", attack);
}

static bool at_mark(const char *s)
{
	return !strncmp(s, HOSTILE_MARK, strlen(HOSTILE_MARK));
}

/* What follows a string that begins at its quote; NULL when gnuplot would run or replace part of it. */
static const char *skip_string(const char *s, char quote)
{
	for (s++; *s != quote; s++) {
		if (!*s || *s == '\n' || (quote == '"' && (*s == '`' || *s == '@')))
			return NULL;
		if (quote == '"' && *s == '\\' && s[1])
			s++;
	}
	return s + 1;
}

const char *hostile_in_gp(const char *text)
{
	for (const char *s = text; *s;) {
		if (*s == '"' || *s == '\'') {
			const char *end = skip_string(s, *s);

			if (!end)
				return s;
			s = end;
		} else if (*s == '#') {
			s += strcspn(s, "\n");
		} else if (*s == '`' || at_mark(s)) {
			return s;
		} else {
			s++;
		}
	}
	return NULL;
}
