// SPDX-License-Identifier: MIT
/* Columns of bench top at every width of a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bench/profile/top_draw.h"

static int shown(const int width[TOP_COLUMNS], int *sum)
{
	int n = 0;

	*sum = 0;
	for (int c = 0; c < TOP_COLUMNS; c++) {
		n += width[c] > 0;
		*sum += width[c] ? width[c] + 1 : 0;
	}
	return n;
}

static void test_layout(void **state)
{
	int width[TOP_COLUMNS], before = 0, n, sum;

	(void)state;
	for (int wide = 1; wide <= 300; wide++) {
		top_layout(wide, width);
		n = shown(width, &sum);
		/* The last column's gap may hang over the edge: nothing is printed there. */
		if (sum > wide + 1)
			fail_msg("%d columns of text on a terminal of %d", sum, wide);
		if (n < before)
			fail_msg("%d columns shown at a width of %d, %d at one less", n, wide, before);
		before = n;
	}
	assert_int_equal(before, TOP_COLUMNS);
	top_layout(80, width);
	assert_true(width[TOP_REASON] && width[TOP_KEY] && width[TOP_PER_S] && width[TOP_TIME] &&
		    width[TOP_P99]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_layout)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
