// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/util.h"
#include "bench/host/build_type.h"

#define BINARY(text) {text, sizeof(text)}

static void of_what_is_in_it(void **state)
{
	static const struct {
		struct {
			const char *data;
			size_t len;
		} binary;
		const char *type;
	} cases[] = {
		{BINARY("\177ELF\0GNU C11 12.2.0 -mtune=generic -march=x86-64 -g -O2 -std=gnu11\0main.c"), "release"},
		{BINARY("\177ELF\0GNU C11 12.2.0 -mtune=generic -march=x86-64 -g -std=gnu11\0main.c"), "debug"},
		{BINARY("\177ELF\0GNU C11 12.2.0 -mtune=generic -g -O0\0main.c"), "debug"},
		{BINARY("GNU C17 12 -mtune=generic -O2\0GNU C17 12 -mtune=generic -g\0"), "debug"}, /* one file of many */
		{BINARY("GNU C17 12 -mtune=generic -O2\0__asan_init\0"), "asan"},
		{BINARY("\177ELF\0stripped"), "unknown"},
		{BINARY("GNU C\0GNU C library"), "unknown"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(build_type_of(cases[i].binary.data, cases[i].binary.len), cases[i].type);
	assert_string_equal(build_type("/nonexistent"), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(of_what_is_in_it)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
