// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/changepoint.h"
#include "base/clock.h"
#include "base/rng.h"

#define SIGMA 0.02

static size_t find(const double *x, size_t n, struct change_point **c)
{
	return change_points(x, n, NULL, 0, -1, c);
}

/* Steps of 2 to 4 sigma, 0 to 3 of them, 10 to 40 points on each side. Returns the length. */
static size_t make_series(struct rng *r, double *x, size_t *step, size_t *steps)
{
	double level = 100;
	size_t n = 0;

	*steps = rng_below(r, 4);
	for (size_t s = 0; s <= *steps; s++) {
		size_t length = 10 + rng_below(r, 31);

		if (s) {
			double size = (2 + 2 * rng_double(r)) * SIGMA * 100;

			level += rng_below(r, 2) ? size : -size;
			step[s - 1] = n;
		}
		while (length--)
			x[n++] = level + 100 * SIGMA * rng_normal(r);
	}
	return n;
}

static bool is_near(size_t a, size_t b)
{
	return (a > b ? a - b : b - a) <= 3;
}

static void steps_are_found_and_none_invented(void **state)
{
	size_t series = getenv("EXITLAB_SOAK") ? 200 : 60, real = 0, hit = 0, said = 0, right = 0;
	struct rng r;

	(void)state;
	rng_seed(&r, 42);
	for (size_t i = 0; i < series; i++) {
		double x[200];
		size_t step[4], steps, n = make_series(&r, x, step, &steps), found;
		struct change_point *c;

		found = find(x, n, &c);
		real += steps;
		said += found;
		for (size_t k = 0; k < steps; k++)
			for (size_t j = 0; j < found; j++)
				if (is_near(c[j].at, step[k])) {
					hit++;
					break;
				}
		for (size_t j = 0; j < found; j++)
			for (size_t k = 0; k < steps; k++)
				if (is_near(c[j].at, step[k])) {
					right++;
					break;
				}
		free(c);
	}
	print_message("%zu steps, %zu said: precision %.3f, recall %.3f\n", real, said,
		      (double)right / (double)said, (double)hit / (double)real);
	assert_true((double)right >= 0.9 * (double)said);
	assert_true((double)hit >= 0.9 * (double)real);
}

static void a_spike_is_not_a_level(void **state)
{
	struct rng r;

	(void)state;
	rng_seed(&r, 3);
	for (int i = 0; i < 40; i++) {
		double x[60];
		struct change_point *c;

		for (int k = 0; k < 60; k++)
			x[k] = 100 + 2 * rng_normal(&r);
		x[5 + i] = i % 2 ? 160 : 40;
		assert_int_equal(find(x, 60, &c), 0);
		free(c);
	}
}

static void levels_and_states(void **state)
{
	double x[40];
	struct change_point *c;
	size_t accepted;

	(void)state;
	for (int i = 0; i < 40; i++)
		x[i] = (i < 20 ? 100 : 110) + (i % 3) * 0.5;
	assert_int_equal(find(x, 40, &c), 1);
	assert_int_equal(c[0].at, 20);
	assert_true(c[0].before == 100.5 && c[0].after == 110.5);
	assert_false(c[0].provisional);
	free(c);
	/* The same change when it is only seven nights old. */
	assert_int_equal(find(x, 27, &c), 1);
	assert_true(c[0].provisional);
	free(c);
	assert_int_equal(find(x, 23, &c), 0);
	free(c);
	/* Below the minimum magnitude the two levels are one. */
	assert_int_equal(change_points(x, 40, NULL, 0, 0.2, &c), 0);
	free(c);
	/* Accepted where it happened: one change, and no alarm. */
	accepted = 20;
	assert_int_equal(change_points(x, 40, &accepted, 1, -1, &c), 1);
	assert_true(c[0].accepted && !c[0].provisional && c[0].at == 20);
	free(c);
}

static void short_or_constant_series_have_none(void **state)
{
	double x[50] = {0};
	struct change_point *c;

	(void)state;
	for (size_t n = 0; n <= 50; n++) {
		assert_int_equal(find(x, n, &c), 0);
		free(c);
	}
}

/* Exact counts: no noise at all, one step by one. */
static void a_step_without_noise(void **state)
{
	double x[30];
	struct change_point *c;

	(void)state;
	for (int i = 0; i < 30; i++)
		x[i] = i < 17 ? 23884 : 23885;
	assert_int_equal(change_points(x, 30, NULL, 0, 0, &c), 1);
	assert_int_equal(c[0].at, 17);
	free(c);
}

/* Five years of nights. */
static void a_long_series_is_quick(void **state)
{
	double x[1800];
	struct change_point *c;
	struct rng r;
	uint64_t t;

	(void)state;
	rng_seed(&r, 9);
	for (int i = 0; i < 1800; i++)
		x[i] = 100 + 10 * (i / 300 % 2) + 2 * rng_normal(&r);
	t = clock_ns();
	assert_int_equal(find(x, 1800, &c), 5);
	t = clock_ns() - t;
	print_message("%.0f ms\n", (double)t / 1e6);
	for (size_t i = 0; i < 5; i++)
		assert_true(is_near(c[i].at, 300 * (i + 1)));
	free(c);
	assert_true(t < NSEC_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_are_found_and_none_invented),
		cmocka_unit_test(a_spike_is_not_a_level),
		cmocka_unit_test(levels_and_states),
		cmocka_unit_test(short_or_constant_series_have_none),
		cmocka_unit_test(a_step_without_noise),
		cmocka_unit_test(a_long_series_is_quick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
