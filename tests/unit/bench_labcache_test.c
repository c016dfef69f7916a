// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "bench/lab/lab_cache.h"
#include "tests/unit/fake_record.h"

static void touch(const char *dir, const char *name, time_t age_s)
{
	struct timespec t[2] = {{time(NULL) - age_s, 0}, {time(NULL) - age_s, 0}};
	char *path = xasprintf("%s/%s", dir, name);

	assert_int_equal(file_write_atomic(path, "x", 1), 0);
	assert_int_equal(utimensat(AT_FDCWD, path, t, 0), 0);
	free(path);
}

static bool is_there(const char *dir, const char *name)
{
	char *path = xasprintf("%s/%s", dir, name);
	bool there = file_exists(path);

	free(path);
	return there;
}

static void what_nobody_uses_goes(void **state)
{
	char *dir = fake_dir(), *dead = xasprintf("%s/lab/out.killed", dir), *lab = xasprintf("%s/lab", dir);
	char *ours = xasprintf("new.cpio.tmp.%d", getpid());
	struct lab_out mine;

	(void)state;
	setenv("EXITLAB_CACHE", dir, 1);
	assert_int_equal(lab_out_make(&mine), 0);
	assert_int_equal(dir_make_all(dead), 0);
	touch(dead, "record.json", 0);
	touch(lab, "old.cpio", 7200);
	touch(lab, "new.cpio", 10);
	touch(lab, "old.log", 7200);
	touch(lab, ours, 0);
	touch(lab, "new.cpio.tmp.2147483646", 0); /* no machine has so many processes */
	touch(lab, "config.2147483646", 0);
	touch(lab, "config.x", 0);
	lab_cache_sweep(lab, 3600, 0);
	assert_false(is_there(lab, "out.killed"));
	assert_true(file_exists(mine.path)); /* its owner lives */
	assert_false(is_there(lab, "old.cpio"));
	assert_true(is_there(lab, "new.cpio"));
	assert_true(is_there(lab, "old.log"));
	assert_true(is_there(lab, ours));
	assert_false(is_there(lab, "new.cpio.tmp.2147483646"));
	assert_false(is_there(lab, "config.2147483646"));
	assert_true(is_there(lab, "config.x"));
	lab_out_remove(&mine);
	dir_remove_all(dir);
	free(ours);
	free(lab);
	free(dead);
	free(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_nobody_uses_goes)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
