// SPDX-License-Identifier: MIT
/* Which machine a record is of; what a store knows of a machine: the newest, and nothing said of another. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "results/machine.h"
#include "results/query.h"
#include "tests/unit/fake_record.h"

static char dir[] = "/tmp/exitlab-machine-XXXXXX";

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return dir_remove_all(dir);
}

static struct store *open_store(const char *name)
{
	char *path = xasprintf("%s/%s", dir, name);
	struct store *s;

	assert_int_equal(store_open(&s, path), 0);
	free(path);
	return s;
}

static json_t *about(const char *machine, const char *at, const char *governor)
{
	return json_pack("{s:s, s:s, s:{s:{s:s, s:s}}}", "machine", machine, "at", at, "findings", "governor",
			 "verdict", "warning", "found", governor);
}

static void keep(struct store *s, const char *machine, const char *at, const char *governor)
{
	json_t *j = about(machine, at, governor);

	assert_int_equal(machine_keep(s, j), 0);
	json_decref(j);
}

static void assert_governor(struct store *s, const char *machine, const char *want)
{
	json_t *j = machine_load(s, machine);
	const json_t *f = json_object_get(json_object_get(j, "findings"), "governor");

	assert_string_equal(record_str(f, "found"), want);
	json_decref(j);
}

static void the_newest_is_kept(void **state)
{
	struct store *ours = open_store("ours"), *theirs = open_store("theirs");

	(void)state;
	assert_null(machine_load(ours, "a"));
	keep(ours, "a", "2026-03-02T00:00:00Z", "ours");
	keep(theirs, "a", "2026-03-01T00:00:00Z", "older");
	keep(theirs, "b", "2026-03-01T00:00:00Z", "b's");
	assert_int_equal(machines_import(ours, store_dir(theirs)), 1);
	assert_governor(ours, "a", "ours");
	assert_governor(ours, "b", "b's");
	keep(theirs, "a", "2026-03-03T00:00:00Z", "newer");
	assert_int_equal(machines_import(ours, store_dir(theirs)), 1);
	assert_int_equal(machines_import(ours, store_dir(theirs)), 0);
	assert_governor(ours, "a", "newer");
	keep(ours, "a", "2026-03-01T00:00:00Z", "here, by a clock that was set back");
	assert_governor(ours, "a", "here, by a clock that was set back");
	store_close(ours);
	store_close(theirs);
}

/* The file of a machine may be another's copy. */
static void a_copy_is_not_believed(void **state)
{
	struct store *s = open_store("copy");
	char *path = xasprintf("%s/copy/machines", dir), *file;

	(void)state;
	keep(s, "mine", "2026", "x");
	file = dir_entry(path);
	{
		char *at = xasprintf("%s/%s", path, file);
		json_t *j = about("other", "2026", "x");

		assert_int_equal(json_dump_file(j, at, 0), 0);
		json_decref(j);
		free(at);
	}
	assert_null(machine_load(s, "mine"));
	free(file);
	free(path);
	store_close(s);
}

/* None of them names a file outside, or another's. */
static void names_are_no_paths(void **state)
{
	static const char *const names[] = {"../../x", "/etc/passwd", "a/b", "a_b", "A_B", "", ".", "a\nb"};
	struct store *s = open_store("names");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		json_t *j = about(names[i], "2026", names[i]);

		assert_int_equal(machine_keep(s, j), *names[i] ? 0 : -EINVAL);
		json_decref(j);
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (*names[i])
			assert_governor(s, names[i], names[i]);
	store_close(s);
}

static void put(const char *name, const char *text)
{
	char *path = xasprintf("%s/bad/machines/%s", dir, name);

	assert_int_equal(file_write_atomic(path, text, strlen(text)), 0);
	free(path);
}

static void what_is_no_such_file_is_passed_over(void **state)
{
	static const char *const texts[] = {
		"",
		"[]",
		"{",
		"{\"machine\": \"m\", \"at\": \"2026\"}",
		"{\"machine\": \"m\", \"at\": \"2026\", \"findings\": []}",
		"{\"machine\": \"m\", \"at\": 2026, \"findings\": {}}",
		"{\"machine\": \"\", \"at\": \"2026\", \"findings\": {}}",
		"{\"machine\": \"m\", \"at\": \"2026\", \"findings\": {\"x\": 1}}",
		"{\"machine\": \"m\", \"at\": \"2026\", \"findings\": {\"x\": {\"verdict\": \"ok\"}}}",
	};
	static const char valid[] = "{\"machine\": \"m\", \"at\": \"2026\", \"findings\": {}}";
	struct store *bad = open_store("bad"), *s = open_store("good");
	char name[24], *path = xasprintf("%s/bad/machines", dir), *link = xasprintf("%s/link", path);
	char *endless = xcalloc(1, 300 << 10);

	(void)state;
	assert_int_equal(dir_make_all(path), 0);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		snprintf(name, sizeof(name), "%zu.json", i);
		put(name, texts[i]);
	}
	memset(endless, ' ', (300 << 10) - 1);
	memcpy(endless, valid, strlen(valid));
	put("endless.json", endless);
	keep(bad, "elsewhere", "2026", "x");
	/* What is elsewhere is not another store's to show. */
	put("../elsewhere", valid);
	assert_int_equal(symlink("../elsewhere", link), 0);
	assert_int_equal(machines_import(s, store_dir(bad)), 1);
	assert_null(machine_load(s, "m"));
	assert_int_equal(machines_import(s, "/nonexistent"), 0);
	free(endless);
	free(link);
	free(path);
	store_close(bad);
	store_close(s);
}

/* environment, time base, what it adds to the series, machine. */
static void a_series_is_one_machines(void **state)
{
	static const struct {
		const char *environment, *time_base, *end, *machine;
		int64_t speed;
	} cases[] = {
		{"{}", "real", "", "", 0},
		{"{\"machine\": null}", "real", "", "", 0},
		{"{\"machine\": \"n1\", \"calibration_ns\": 7}", "real", ";@n1", "n1", 7},
		{"{\"machine\": \"a;b\"}", "real", ";@a,b", "a;b", 0},
		{"{\"machine\": \"(none)\", \"calibration_ns\": 7, "
		 "\"lab\": {\"host_machine\": \"n2\", \"host_calibration_ns\": 8}}",
		 "emulated", ";@n2", "n2", 8},
		{"{\"machine\": \"n1\"}", "virtual", "", "n1", 0},
	};
	json_t *rec = fake_record("vhost", "throughput_bps", (double[]){1}, 1);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *config, *series, *want;

		json_object_set_new(rec, "environment", json_loads(cases[i].environment, 0, NULL));
		json_object_set_new(rec, "time_base", json_string(cases[i].time_base));
		config = record_config(rec);
		series = record_series(rec);
		want = xasprintf("%s%s", config, cases[i].end);
		assert_string_equal(series, want);
		assert_string_equal(record_machine(rec), cases[i].machine);
		assert_int_equal(record_machine_speed(rec), cases[i].speed);
		free(want);
		free(series);
		free(config);
	}
	json_decref(rec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_newest_is_kept),
		cmocka_unit_test(a_copy_is_not_believed),
		cmocka_unit_test(names_are_no_paths),
		cmocka_unit_test(what_is_no_such_file_is_passed_over),
		cmocka_unit_test(a_series_is_one_machines),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
