// SPDX-License-Identifier: MIT
/* What the module that makes a medium is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "bench/host/medium.h"

static void modules_are_told(void **state)
{
	static const struct {
		struct medium_want want;
		const char *params;
	} cases[] = {
		{{.name = NULL, .units = 1}, "nr_devices=1 gb=1 bs=512 no_sched=1 hw_queue_depth=256 irqmode=0"},
		{{.name = "null", .units = 3, .request_us = 100},
		 "nr_devices=3 gb=1 bs=512 no_sched=1 hw_queue_depth=256 irqmode=2 completion_nsec=100000"},
		{{.name = "ram", .units = 2}, "rd_nr=2 rd_size=65536 max_part=0"},
		{{.name = "file", .units = 1}, NULL},
		{{.name = "disk", .units = 1}, NULL},
		{{.name = "/dev/sdb", .units = 1}, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *params = medium_params(&cases[i].want);

		if (cases[i].params)
			assert_string_equal(params, cases[i].params);
		else
			assert_null(params);
		free(params);
	}
	assert_true(medium_timed(NULL));
	assert_false(medium_timed("ram"));
	assert_false(medium_timed("/dev/sdb"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(modules_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
