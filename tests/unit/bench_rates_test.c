// SPDX-License-Identifier: MIT
/* bench top's sparklines: heights, order, and rows that are forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bench/profile/rates.h"

static struct rates rates;
static struct view_row row[2];
static struct view view = {.row = row, .n = 2};

static int fresh(void **state)
{
	(void)state;
	memset(&rates, 0, sizeof(rates));
	snprintf(row[0].reason, sizeof(row[0].reason), "cpuid");
	snprintf(row[1].reason, sizeof(row[1].reason), "io");
	snprintf(row[1].key, sizeof(row[1].key), "out 0x3f8");
	view.n = 2;
	return 0;
}

static void add(uint64_t first, uint64_t second)
{
	row[0].count = first;
	row[1].count = second;
	rates_add(&rates, &view, 1);
}

static void expect(const struct view_row *r, const char *want)
{
	char spark[RATES_KEPT * 4 + 1];

	rates_sparkline(&rates, r, spark, sizeof(spark));
	/* The empty intervals before the first are blanks. */
	assert_string_equal(spark + strspn(spark, " "), want);
}

static void test_heights(void **state)
{
	(void)state;
	add(10, 1000);
	add(20, 500);
	add(40, 0);
	expect(&row[0], "▂▄█");
	expect(&row[1], "█▄ ");
}

static void test_unseen_rows_are_forgotten(void **state)
{
	(void)state;
	add(10, 1000);
	view.n = 1;
	for (int i = 0; i < RATES_KEPT - 1; i++)
		add(10, 0);
	expect(&row[1], "█               ");
	add(10, 0);
	expect(&row[1], "");
	expect(&row[0], "████████████████");
}

static void test_full(void **state)
{
	static struct view_row many[RATES_ROWS + 1];
	struct view all = {.row = many, .n = RATES_ROWS + 1};

	(void)state;
	for (int i = 0; i <= RATES_ROWS; i++) {
		snprintf(many[i].reason, sizeof(many[i].reason), "r%d", i);
		many[i].count = 1;
	}
	rates_add(&rates, &all, 1);
	expect(&many[RATES_ROWS - 1], "█");
	expect(&many[RATES_ROWS], ""); /* no room: no sparkline, and nobody else's */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_heights, fresh),
		cmocka_unit_test_setup(test_unseen_rows_are_forgotten, fresh),
		cmocka_unit_test_setup(test_full, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
