// SPDX-License-Identifier: MIT
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/util.h"
#include "tests/golden/hostile.h"

const char hostile_text[] = "PWN`touch PWN`\"; system('touch PWN')\nset print 'PWN'\n!touch PWN\r@fill1@PWN'\\\"PWN"
			    "<script src=//PWN></script>\"onload=PWN '><img/src=PWN>--></script></style><PWN>"
			    "[PWN](javascript:PWN) ![PWN](PWN) |PWN| **PWN** _PWN_ &PWN; $PWN$ \\input{PWN}%PWN\x1b]0;PWN\a"
			    "\xc2\x9b" "31mPWN";

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
	return !strncasecmp(s, HOSTILE_MARK, strlen(HOSTILE_MARK));
}

static bool has_mark(const char *s, size_t len)
{
	for (; len >= strlen(HOSTILE_MARK); s++, len--)
		if (at_mark(s))
			return true;
	return false;
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

/* After the value of an attribute that begins here; NULL: the attack stands where no quote holds it. */
static const char *skip_value(const char *s)
{
	size_t len;

	if (*s == '"' || *s == '\'') {
		const char *end = strchr(s + 1, *s);

		return end ? end + 1 : NULL;
	}
	len = strcspn(s, " \t\r\n>");
	return has_mark(s, len) ? NULL : s + len;
}

/* After a tag, which begins at its '<'. */
static const char *skip_tag(const char *s)
{
	for (s++; *s && *s != '>';) {
		if (at_mark(s))
			return NULL;
		if (*s != '=') {
			s++;
			continue;
		}
		s = skip_value(s + 1);
		if (!s)
			return NULL;
	}
	return *s ? s + 1 : NULL;
}

/* What a script or style holds up to its end: JSON that parses, or nothing of the attack. */
static const char *skip_raw(const char *s, const char *end_tag, bool is_json)
{
	const char *end = strcasestr(s, end_tag);
	json_t *v;

	if (!end)
		return NULL;
	if (!is_json)
		return has_mark(s, (size_t)(end - s)) ? NULL : end;
	v = json_loadb(s, (size_t)(end - s), 0, NULL);
	json_decref(v);
	return v ? end : NULL;
}

const char *hostile_in_html(const char *text)
{
	for (const char *s = text, *next; *s; s = next) {
		next = s + 1;
		if (*s != '<' || !s[1] || !strchr("/!?abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", s[1]))
			continue;
		next = skip_tag(s);
		if (next && !strncasecmp(s, "<script", 7))
			next = skip_raw(next, "</script",
					strstr(s, "application/json") &&
						strstr(s, "application/json") < next);
		else if (next && !strncasecmp(s, "<style", 6))
			next = skip_raw(next, "</style", false);
		if (!next)
			return s;
	}
	return NULL;
}

static bool begins_with(const char *s, const char *const *list)
{
	for (; *list; list++)
		if (!strncmp(s, *list, strlen(*list)))
			return true;
	return false;
}

/* From the first mark of a line to its last, where only the attack stands. */
static const char *scan_lines(const char *text, const char *live, const char *const *harmless)
{
	for (const char *line = text, *next; line; line = next) {
		size_t len = strcspn(line, "\n"), from = len, to = 0;

		next = line[len] ? line + len + 1 : NULL;
		for (size_t i = 0; i + strlen(HOSTILE_MARK) <= len; i++)
			if (at_mark(line + i)) {
				from = MIN(from, i);
				to = i;
			}
		for (size_t i = from; i < to; i++) {
			const char *const *h = harmless;

			if (begins_with(line + i, harmless)) {
				while (strncmp(line + i, *h, strlen(*h)))
					h++;
				i += strlen(*h) - 1;
			} else if (strchr(live, line[i])) {
				return line + i;
			}
		}
	}
	return NULL;
}

/* Cells of one row each hold an attack; what parts them is ours. */
const char *hostile_in_md(const char *text)
{
	static const char *const harmless[] = {"\\|", "\\*", "\\_", "\\`", "\\[", "\\]", "\\~", "\\$", "\\\\",
					       "&lt;", "&gt;", "&amp;", " | ", NULL};

	return scan_lines(text, "|*_`[]<>~$\\", harmless);
}

const char *hostile_in_tex(const char *text)
{
	static const char *const harmless[] = {"\\%",
					       "\\&",
					       "\\#",
					       "\\_",
					       "\\$",
					       "\\{",
					       "\\}",
					       "-{}",
					       " & ",
					       "\\textasciitilde{}",
					       "\\textasciicircum{}",
					       "\\textbackslash{}",
					       "\\textless{}",
					       "\\textgreater{}",
					       NULL};

	return scan_lines(text, "%&#_$\\{}~^", harmless);
}
