// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "bench/cli/bisect.h"

#define COMMITS 64

/* Tries until nothing is left; skip: those that do not build, a character each. How many it took. */
static unsigned hunt(struct bisect *b, size_t first_bad, const char *skip)
{
	unsigned tries = 0;
	size_t at;

	b->state[b->n - 1] = BISECT_BAD; /* as it is known */
	while ((at = bisect_next(b)) != SIZE_MAX) {
		assert_true(at < b->n && b->state[at] == BISECT_UNTRIED);
		if (skip && skip[at] == 's')
			b->state[at] = BISECT_SKIPPED;
		else
			b->state[at] = at < first_bad ? BISECT_GOOD : BISECT_BAD;
		tries++;
	}
	return tries;
}

/* Whichever it is, in as many steps as a search by halves needs. */
static void each_of_64_is_found(void **state)
{
	(void)state;
	for (size_t n = 1; n <= COMMITS; n++) {
		for (size_t first_bad = 0; first_bad < n; first_bad++) {
			enum bisect_state states[COMMITS] = {BISECT_UNTRIED};
			struct bisect b = {states, n};
			size_t good, bad;
			unsigned steps;

			states[n - 1] = BISECT_BAD;
			steps = bisect_steps(&b);
			assert_true(hunt(&b, first_bad, NULL) <= steps);
			bisect_bounds(&b, &good, &bad);
			assert_int_equal(bad, first_bad);
			assert_int_equal(good + 1, first_bad);
		}
	}
}

static void what_cannot_be_built_is_passed_by(void **state)
{
	static const struct {
		const char *skip; /* "s": skipped */
		size_t first_bad;
		size_t good, bad; /* what is known in the end */
	} cases[] = {
		{"........", 3, 2, 3},
		{"...s....", 5, 4, 5},
		{"....s...", 5, 3, 5},	/* it or the one before */
		{"sssssss.", 4, SIZE_MAX, 7},
		{".ss.....", 0, SIZE_MAX, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		enum bisect_state states[8] = {BISECT_UNTRIED};
		struct bisect b = {states, 8};
		size_t good, bad;

		hunt(&b, cases[i].first_bad, cases[i].skip);
		bisect_bounds(&b, &good, &bad);
		assert_int_equal(good, cases[i].good);
		assert_int_equal(bad, cases[i].bad);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_of_64_is_found),
		cmocka_unit_test(what_cannot_be_built_is_passed_by),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
