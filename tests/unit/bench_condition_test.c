// SPDX-License-Identifier: MIT
/* Conditions of a machine: what is worse while one lasts, and that nothing of it stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "bench/host/condition.h"

static void unknown_is_refused(void **state)
{
	struct condition c;

	(void)state;
	assert_int_equal(condition_begin(&c, "slowly"), -EINVAL);
}

static void free_changes_nothing(void **state)
{
	struct condition c;

	(void)state;
	assert_int_equal(condition_begin(&c, NULL), 0);
	assert_int_equal(c.hog, 0);
	assert_null(c.journal);
	condition_end(&c);
}

static void one_core_is_given_back(void **state)
{
	cpu_set_t before, during, after;
	struct condition c;

	(void)state;
	sched_getaffinity(0, sizeof(before), &before);
	assert_int_equal(condition_begin(&c, "one-core"), 0);
	sched_getaffinity(0, sizeof(during), &during);
	assert_int_equal(CPU_COUNT(&during), 1);
	condition_end(&c);
	sched_getaffinity(0, sizeof(after), &after);
	assert_true(CPU_EQUAL(&before, &after));
}

static void busy_ends_with_its_plan(void **state)
{
	struct condition c;
	pid_t hog;

	(void)state;
	assert_int_equal(condition_begin(&c, "busy"), 0);
	hog = c.hog;
	assert_true(hog > 0);
	assert_int_equal(kill(hog, 0), 0);
	condition_end(&c);
	assert_int_equal(kill(hog, 0), -1);
}

static void slow_leaves_no_group(void **state)
{
	char *before, *during, *after;
	struct condition c;

	(void)state;
	before = file_read_line("/proc/self/cgroup");
	if (condition_begin(&c, "slow")) {
		free(before);
		skip(); /* not root, or no controller of CPU time: it said so */
	}
	during = file_read_line("/proc/self/cgroup");
	condition_end(&c);
	after = file_read_line("/proc/self/cgroup");
	assert_non_null(during);
	assert_string_equal(before, after);
	free(before);
	free(during);
	free(after);
}

static void calibration_is_a_time(void **state)
{
	uint64_t ns = condition_calibrate();

	(void)state;
	assert_in_range(ns, 10000, 1000000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_is_refused),	  cmocka_unit_test(free_changes_nothing),
		cmocka_unit_test(one_core_is_given_back), cmocka_unit_test(busy_ends_with_its_plan),
		cmocka_unit_test(slow_leaves_no_group),	  cmocka_unit_test(calibration_is_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
