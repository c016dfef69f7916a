// SPDX-License-Identifier: MIT
/* Guest symbols from a System.map: nearest below, nothing before the first or far beyond the last. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "bench/profile/symbols.h"

static const char map[] = "ffffffff81002000 T second\n"
			  "ffffffff81001000 t first\n"
			  "ffffffff81001800 D not_code\n"
			  "garbage\n";

static struct symbols *load(const char *text)
{
	char path[] = "/tmp/symbols-test-XXXXXX";
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");
	struct symbols *s;

	fputs(text, f);
	fclose(f);
	s = symbols_load(path);
	unlink(path);
	return s;
}

static void test_find(void **state)
{
	static const struct {
		uint64_t addr;
		const char *name;
	} cases[] = {
		{0xffffffff81001000, "first+0x0"},
		{0xffffffff81001801, "first+0x801"},
		{0xffffffff81001fff, "first+0xfff"},
		{0xffffffff81002000, "second+0x0"},
		{0xffffffff81000fff, NULL},
		{0xffffffff91000000, NULL},
		{0, NULL},
	};
	struct symbols *s = load(map);
	char buf[64];

	(void)state;
	assert_non_null(s);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(symbols_find(s, cases[i].addr, buf, sizeof(buf)), cases[i].name != NULL);
		if (cases[i].name)
			assert_string_equal(buf, cases[i].name);
	}
	symbols_free(s);
	assert_false(symbols_find(NULL, 1, buf, sizeof(buf)));
}

static void test_no_symbols(void **state)
{
	(void)state;
	assert_null(load("nothing here\n"));
	assert_null(symbols_load("/no/such/file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_no_symbols),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
