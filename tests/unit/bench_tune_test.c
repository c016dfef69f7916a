// SPDX-License-Identifier: MIT
/*
 * --tune on a copy of the files of /sys: set, noted in the journal, put back; also by the next start after
 * a kill.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/journal.h"
#include "base/strbuf.h"
#include "bench/host/tune.h"

static const struct {
	const char *path, *before, *tuned;
} files[] = {
	{"devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave", "performance"},
	{"devices/system/cpu/cpu1/cpufreq/scaling_governor", "schedutil", "performance"},
	{"devices/system/cpu/intel_pstate/no_turbo", "0", "1"},
	{"devices/system/cpu/smt/control", "on", "off"},
};

static char dir[] = "/tmp/exitlab-tune.XXXXXX";

static char *path_of(size_t i)
{
	return xasprintf("%s/sys/%s", dir, files[i].path);
}

static int make_files(void **state)
{
	(void)state;
	if (!file_exists(dir) && !mkdtemp(dir))
		return -1;
	setenv("EXITLAB_TUNE_ROOT", dir, 1);
	setenv("EXITLAB_JOURNAL_DIR", dir, 1);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char *path = path_of(i), *slash = strrchr(path, '/');

		*slash = '\0';
		dir_make_all(path);
		*slash = '/';
		file_write_atomic(path, files[i].before, strlen(files[i].before));
		free(path);
	}
	return 0;
}

static int remove_files(void **state)
{
	(void)state;
	return dir_remove_all(dir);
}

static void assert_values(bool tuned)
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char *path = path_of(i), *value = file_read_line(path);

		const char *want = tuned ? files[i].tuned : files[i].before;

		/* Not the whole: unlike one of sysfs, these files keep the tail of a longer value. */
		assert_memory_equal(value, want, strlen(want));
		free(value);
		free(path);
	}
}

static void set_and_put_back(void **state)
{
	struct tune *t;
	json_t *changed;

	(void)state;
	assert_int_equal(tune_apply(&t), 0);
	assert_values(true);
	changed = tune_json(t);
	assert_string_equal(json_string_value(json_object_get(changed, "smt")), "on -> off");
	assert_int_equal(json_object_size(changed), 3); /* no boost here */
	json_decref(changed);
	tune_undo(t);
	assert_values(false);
}

static void put_back_by_the_next_start(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (!pid) {
		struct tune *t;

		_exit(tune_apply(&t)); /* as kill -9 would end it */
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_values(true);
	assert_int_equal(journal_recover(), 4);
	assert_values(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_setup(set_and_put_back, make_files),
					   cmocka_unit_test_setup(put_back_by_the_next_start, make_files)};

	return cmocka_run_group_tests(tests, NULL, remove_files);
}
