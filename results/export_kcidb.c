// SPDX-License-Identifier: MIT
/*
 * Records as KCIDB's reports, schema 5.0: the host's kernel is the build, a run is a test that passed or
 * failed, and each of its medians a test that is done and has a number.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "results/export.h"

#define ORIGIN "exitlab"

struct report {
	json_t *builds, *checkouts, *tests;
};

/* A part of a test's path: letters, digits, _ and - alone. */
static void add_path_part(struct strbuf *path, const char *text)
{
	strbuf_addc(path, '.');
	for (; *text; text++)
		strbuf_addc(path, (char)(isalnum((unsigned char)*text) || *text == '-' ? *text : '_'));
}

static bool report_has(const json_t *objects, const char *id)
{
	size_t i;
	json_t *object;

	json_array_foreach (objects, i, object)
		if (!strcmp(record_str(object, "id"), id))
			return true;
	return false;
}

/* Who looks for the kernel's own checkout and build finds the release that the host said. */
static void add_build(struct report *p, const char *id, const char *kernel)
{
	if (report_has(p->builds, id))
		return;
	json_array_append_new(p->checkouts, json_pack("{s:s, s:s, s:s}", "id", id, "origin", ORIGIN,
						      "git_commit_name", kernel));
	json_array_append_new(p->builds, json_pack("{s:s, s:s, s:s, s:s}", "id", id, "origin", ORIGIN,
						   "checkout_id", id, "architecture", "x86_64"));
}

/* Of a run, or of one of its metrics (NULL: of the run itself). */
static json_t *test_of(const json_t *rec, const char *build, const char *metric)
{
	const struct record r = record_of(rec);
	char *series = record_config(rec);
	struct strbuf path = STRBUF_INIT;
	json_t *test;

	strbuf_adds(&path, ORIGIN);
	add_path_part(&path, series);
	if (metric)
		add_path_part(&path, metric);
	test = json_pack("{s:s, s:s, s:o, s:s, s:s}", "build_id", build, "origin", ORIGIN, "id",
			 json_sprintf(ORIGIN ":%s:%s", r.id, text_or(metric, "")), "path", strbuf_str(&path),
			 "start_time", r.started);
	strbuf_free(&path);
	free(series);
	return test;
}

static json_t *number_of(const char *metric, double value)
{
	const struct metric_info *info = metric_find_kind(metric);
	json_t *number = json_pack("{s:f}", "value", value);

	if (info && strcmp(info->unit, "1") != 0)
		json_object_set_new(number, "unit", json_string(info->unit));
	return number;
}

static void add_run(struct report *p, const json_t *rec)
{
	const struct record_environment env = record_environment_of(rec);
	char *build = xasprintf(ORIGIN ":%s", text_or(env.kernel, "unknown"));
	json_t *test = test_of(rec, build, NULL);
	struct interval iv;
	const char *metric;

	add_build(p, build, text_or(env.kernel, "unknown"));
	json_object_set_new(test, "status", json_string(record_of(rec).ok ? "PASS" : "FAIL"));
	json_array_append_new(p->tests, test);
	for (void *at = NULL; record_next_metric(rec, &at, &metric, &iv);) {
		test = test_of(rec, build, metric);
		json_object_set_new(test, "status", json_string("DONE"));
		json_object_set_new(test, "number", number_of(metric, iv.point));
		json_array_append_new(p->tests, test);
	}
	free(build);
}

void export_kcidb(json_t *const *rec, size_t n, FILE *out)
{
	struct report p = {json_array(), json_array(), json_array()};
	json_t *all;

	for (size_t i = 0; i < n; i++)
		add_run(&p, rec[i]);
	all = json_pack("{s:{s:i, s:i}, s:o, s:o, s:o}", "version", "major", 5, "minor", 0, "checkouts",
			p.checkouts, "builds", p.builds, "tests", p.tests);
	json_print(all, out, JSON_INDENT(1) | JSON_SORT_KEYS);
	json_decref(all);
}
