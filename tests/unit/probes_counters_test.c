// SPDX-License-Identifier: MIT
/* The list of counters: names, modifiers, groups, and what is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "probes/counters.h"

static void test_list(void **state)
{
	static const struct counter_spec want[] = {
		{.name = "cycles", .guest = true, .group = 0},
		{.name = "instructions", .user = true, .group = 1},
		{.name = "branch-misses", .user = true, .host = true, .group = 1},
		/* A unit mask is no modifier. */
		{.name = "MEM_LOAD_RETIRED:L3_MISS", .kernel = true, .group = 0},
		{.name = "page-faults", .group = 2},
		{.name = "INST_RETIRED:ANY", .group = 0},
	};
	const char *list = "cycles:G,{instructions:u,branch-misses:uH} , MEM_LOAD_RETIRED:L3_MISS:k,{page-faults},"
			   "INST_RETIRED:ANY";
	struct counter_spec s;
	int group = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		assert_int_equal(counter_spec_next(&list, &group, &s), 1);
		assert_string_equal(s.name, want[i].name);
		assert_int_equal(s.user, want[i].user);
		assert_int_equal(s.kernel, want[i].kernel);
		assert_int_equal(s.guest, want[i].guest);
		assert_int_equal(s.host, want[i].host);
		assert_int_equal(s.group, want[i].group);
	}
	assert_int_equal(counter_spec_next(&list, &group, &s), 0);
}

static void test_refused(void **state)
{
	static const char *const bad[] = {"{}", "{{a}}", "}"};
	struct counter_spec s;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const char *list = bad[i];
		int group = 0;

		assert_int_equal(counter_spec_next(&list, &group, &s), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
