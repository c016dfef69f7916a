// SPDX-License-Identifier: MIT
/*
 * results/SCHEMA.md against the lists of results/members.h: every member stands in both, with the same
 * type.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "results/record.h"

static const char *const type_words[] = {
	[MEMBER_TEXT] = "text",	   [MEMBER_INT] = "int", [MEMBER_COUNT] = "int",
	[MEMBER_NUMBER] = "number", [MEMBER_OR_ZERO] = "number",
	[MEMBER_OR_NAN] = "number", [MEMBER_BOOL] = "bool",
	[MEMBER_FLAG] = "flag",	   [MEMBER_LIST] = "list",
	[MEMBER_MAP] = "map",
};

static const struct record_part *part_of(const char *heading)
{
	for (const struct record_part *p = record_parts; p->path; p++)
		if (!strcmp(*p->path ? p->path : "record", heading))
			return p;
	return NULL;
}

static size_t position(const struct members *m, const char *name)
{
	for (size_t i = 0; i < m->n; i++)
		if (!strcmp(m->v[i].name, name))
			return i;
	fail_msg("%s stands in SCHEMA.md and not in results/members.h", name);
	return 0;
}

/* "| `name` | type | in | meaning |": which member it is; SIZE_MAX for another line. */
static size_t read_row(const char *line, const struct record_part *part)
{
	char name[64], type[64], in[16];
	const struct member *m;
	size_t at;

	if (sscanf(line, "| `%63[a-z0-9_]` | %63[a-z ] | %15[a-z]", name, type, in) != 3)
		return SIZE_MAX;
	at = position(part->members, name);
	m = &part->members->v[at];
	if (strncmp(type, type_words[m->kind], strlen(type_words[m->kind])) != 0)
		fail_msg("%s.%s: %s in SCHEMA.md, %s in the list", part->path, name, type,
			 type_words[m->kind]);
	if (!strcmp(in, "must") != m->must)
		fail_msg("%s.%s: \"%s\" in SCHEMA.md, and the list says otherwise", part->path, name, in);
	return at;
}

/* The rows below one heading; *text moves behind them. */
static void check_rows(char **text, const struct record_part *part)
{
	size_t rows = 0, at;
	char *line;

	while (**text && **text != '#') {
		line = strsep(text, "\n");
		at = read_row(line, part);
		if (at == SIZE_MAX)
			continue;
		/* In the same order, so that each stands there once. */
		assert_int_equal(at, rows++);
	}
	if (rows != part->members->n)
		fail_msg("%s: %s stands in results/members.h and not in SCHEMA.md", part->path,
			 part->members->v[rows].name);
}

/* .samples[].exits[] and .checks[] are said to be as those of the record. */
static bool told_elsewhere(const char *path)
{
	return !strcmp(path, ".samples[].exits[]") || !strcmp(path, ".samples[].checks[]");
}

static void schema_and_lists_agree(void **state)
{
	bool seen[32] = {false};
	struct strbuf sb = STRBUF_INIT;
	char *text, *line;

	(void)state;
	assert_int_equal(file_read("results/SCHEMA.md", &sb), 0);
	text = sb.buf;
	while (text && *text) {
		const struct record_part *part;

		line = strsep(&text, "\n");
		part = strncmp(line, "### ", 4) ? NULL : part_of(line + 4);
		if (!part)
			continue;
		seen[part - record_parts] = true;
		check_rows(&text, part);
	}
	for (size_t i = 0; record_parts[i].path; i++)
		if (!seen[i] && !told_elsewhere(record_parts[i].path))
			fail_msg("SCHEMA.md has no heading ### %s", record_parts[i].path);
	strbuf_free(&sb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(schema_and_lists_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
