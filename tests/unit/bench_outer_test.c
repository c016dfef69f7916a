// SPDX-License-Identifier: MIT
/* What a bench inside a lab is told is what the one outside said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bench/host/outer.h"

static void into_environment(void *told, const char *pair)
{
	char name[128];
	size_t len = strcspn(pair, "=");

	memcpy(name, pair, len);
	name[len] = '\0';
	setenv(name, pair + len + 1, 1);
	(*(unsigned *)told)++;
}

static void forget(void)
{
	/* The names are outer.c's alone: all that begin as ours do. */
	extern char **environ;

	for (char **e = environ; *e;) {
		char name[128];
		size_t len = strcspn(*e, "=");

		if (strncmp(*e, "EXITLAB_", 8) || len >= sizeof(name)) {
			e++;
			continue;
		}
		memcpy(name, *e, len);
		name[len] = '\0';
		unsetenv(name);
		e = environ;
	}
}

static void what_is_told_is_what_was_said(void **state)
{
	static const struct {
		struct outer said;
		unsigned pairs;
	} cases[] = {
		{{.lab = NULL}, 0},
		{{.lab = "amd"}, 1},
		{{.lab = "amd", .inner = true}, 2},
		{{.lab = "amd", .inner = true, .terminal = true}, 2},
		{{.lab = "intel", .virtual_time = true, .inner = true, .plan_id = "20260101-000000-abcdef"},
		 4},
		/* A terminal that nobody looks at. */
		{{.lab = "amd", .terminal = true}, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct outer *said = &cases[i].said;
		unsigned pairs = 0;
		struct outer told;

		forget();
		outer_tell(said, into_environment, &pairs);
		told = outer_told();
		assert_int_equal(pairs, cases[i].pairs);
		assert_int_equal(!told.lab, !said->lab);
		if (said->lab)
			assert_string_equal(told.lab, said->lab);
		assert_int_equal(lab_inside(), said->lab != NULL);
		assert_int_equal(told.virtual_time, said->virtual_time);
		assert_int_equal(told.inner, said->inner);
		assert_int_equal(told.terminal, said->terminal && said->inner);
		assert_int_equal(!told.plan_id, !said->plan_id);
		if (said->plan_id)
			assert_string_equal(told.plan_id, said->plan_id);
	}
	forget();
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_told_is_what_was_said)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
