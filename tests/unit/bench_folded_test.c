// SPDX-License-Identifier: MIT
/* bench profile --folded: the parts of each row, in the form that flame graphs are made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bench/profile/exit_view.h"

static void test_stacks(void **state)
{
	static struct view_row row[] = {
		/* Its parts are its time; what they leave is KVM's. */
		{.reason = "npf", .key = "0xfe003818", .device = "e1000 TDT", .count = 3, .total_ns = 1000,
		 .user_ns = 600, .wait_ns = 100, .asleep_ns = 50},
		{.reason = "io", .key = "out 0x3f8", .count = 1, .total_ns = 70, .fast_ns = 70},
		{.reason = "cpuid", .count = 9, .total_ns = 90},
		/* A name may not break the line or the stack. */
		{.reason = "msr", .device = "a;b\nc", .count = 1, .total_ns = 1},
		{.reason = "hlt", .hlt = true, .count = 5, .total_ns = 5000},
		{.reason = "untimed", .count = 5},
	};
	const struct view v = {.row = row, .n = ARRAY_SIZE(row)};
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	view_print_folded(&v, f);
	fclose(f);
	assert_string_equal(text, "exits;npf;e1000 TDT;KVM 250\n"
				  "exits;npf;e1000 TDT;userspace 600\n"
				  "exits;npf;e1000 TDT;waiting 100\n"
				  "exits;npf;e1000 TDT;asleep 50\n"
				  "exits;io;out 0x3f8;KVM fast path 70\n"
				  "exits;cpuid;KVM 90\n"
				  "exits;msr;a,b c;KVM 1\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
