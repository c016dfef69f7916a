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
#include "tests/unit/cpu_clock.h"

#define SIGMA 0.02

static struct change_levels find(const double *x, size_t n)
{
	return change_levels(x, n, NULL, 0, -1);
}

static int soak_or(int quick)
{
	return getenv("EXITLAB_SOAK") ? 1000 : quick;
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

static bool step_near(const struct change_levels *l, size_t at, size_t by)
{
	for (size_t k = 1; k < l->n; k++)
		if (l->v[k].start + by >= at && l->v[k].start <= at + by)
			return true;
	return false;
}

static void steps_are_found_and_none_invented(void **state)
{
	size_t series = (size_t)soak_or(60), real = 0, hit = 0, said = 0, right = 0;
	struct rng r;

	(void)state;
	rng_seed(&r, 42);
	for (size_t i = 0; i < series; i++) {
		double x[200];
		size_t step[4], steps, n = make_series(&r, x, step, &steps);
		struct change_levels l = find(x, n);

		real += steps;
		said += l.n - 1;
		for (size_t k = 0; k < steps; k++)
			hit += step_near(&l, step[k], 3);
		for (size_t j = 1; j < l.n; j++)
			for (size_t k = 0; k < steps; k++)
				if (is_near(l.v[j].start, step[k])) {
					right++;
					break;
				}
		free(l.v);
	}
	print_message("independent: %zu steps of 2 to 4 sigma, %zu said: precision %.3f, recall %.3f\n", real,
		      said, (double)right / (double)said, (double)hit / (double)real);
	assert_true((double)right >= 0.9 * (double)said);
	assert_true((double)hit >= 0.9 * (double)real);
}

/* ---- runs that resemble the one before, and drifts ---- */

/* Standard deviation 2 around 100; a step at `at`, a slope over all points. */
static void make_correlated(struct rng *r, double *x, size_t n, double lag1, double step, size_t at,
			    double slope)
{
	double v = rng_normal(r);

	for (size_t i = 0; i < n; i++) {
		x[i] = 100 + 2 * (v + (i >= at ? step : 0) + slope * (double)i / (double)n);
		v = lag1 * v + sqrt(1 - lag1 * lag1) * rng_normal(r);
	}
}

/* Neither a level nor a drift is made of runs that only resemble one another. */
static void correlation_is_no_level(void **state)
{
	static const struct {
		size_t n;
		double lag1, most;
	} cases[] = {{100, 0, 0.03},  {100, 0.3, 0.04}, {40, 0.5, 0.05},
		     {60, 0.5, 0.05}, {100, 0.5, 0.05}, {100, 0.7, 0.10}};
	int total = soak_or(40);

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(cases); k++) {
		int alarms = 0;
		double x[200], lag1 = 0;
		struct rng r;

		rng_seed(&r, 50 + k);
		for (int i = 0; i < total; i++) {
			struct change_levels l;

			make_correlated(&r, x, cases[k].n, cases[k].lag1, 0, 0, 0);
			l = find(x, cases[k].n);
			alarms += l.n > 1 || l.v[0].drift;
			lag1 += l.lag1 / total;
			free(l.v);
		}
		print_message("lag 1 %.1f (said %.2f), %zu points, no change: %d of %d have a false level\n",
			      cases[k].lag1, lag1, cases[k].n, alarms, total);
		assert_true(alarms <= fmax(6, cases[k].most * total));
		assert_true(fabs(lag1 - cases[k].lag1) < 0.12);
	}
}

static void steps_are_found_in_correlated_series(void **state)
{
	static const double correlated[] = {0, 0.3, 0.5};
	int total = soak_or(40);

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(correlated); k++) {
		int found = 0;
		double x[200];
		struct rng r;

		rng_seed(&r, 60 + k);
		for (int i = 0; i < total; i++) {
			size_t at = 30 + rng_below(&r, 40);
			struct change_levels l;

			make_correlated(&r, x, 100, correlated[k], 3, at, 0);
			l = find(x, 100);
			found += step_near(&l, at, 5);
			free(l.v);
		}
		print_message("lag 1 %.1f, a step of 3 sigma in 100 points: found %d of %d\n", correlated[k], found, total);
		assert_true(found >= total * 0.9);
	}
}

static void a_drift_is_no_staircase(void **state)
{
	static const struct {
		double lag1, slope, least; /* over 100 points, in sigmas */
	} cases[] = {{0, 4, 0.95}, {0, 10, 0.95}, {0.5, 4, 0.8}, {0.5, 10, 0.9}};
	int total = soak_or(30);

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(cases); k++) {
		int drifts = 0;
		double x[200];
		struct rng r;

		rng_seed(&r, 70 + k);
		for (int i = 0; i < total; i++) {
			struct change_levels l;

			make_correlated(&r, x, 100, cases[k].lag1, 0, 0, cases[k].slope);
			l = find(x, 100);
			drifts += l.n == 1 && l.v[0].drift && l.v[0].to > l.v[0].from;
			free(l.v);
		}
		print_message("lag 1 %.1f, a drift of %.0f sigma: seen as one drift %d of %d\n", cases[k].lag1,
			      cases[k].slope, drifts, total);
		assert_true(drifts >= total * cases[k].least - 2);
	}
}

static void a_staircase_is_no_drift(void **state)
{
	int total = soak_or(30), right = 0;
	double x[90];
	struct rng r;

	(void)state;
	rng_seed(&r, 80);
	for (int i = 0; i < total; i++) {
		struct change_levels l;

		for (int k = 0; k < 90; k++)
			x[k] = 100 + 2 * (3 * (k / 30) + rng_normal(&r));
		l = find(x, 90);
		right += l.n == 3 && step_near(&l, 30, 3) && step_near(&l, 60, 3);
		free(l.v);
	}
	print_message("two steps of 3 sigma upwards: both found %d of %d\n", right, total);
	assert_true(right >= total * 0.9 - 2);
}

static void a_spike_is_not_a_level(void **state)
{
	struct rng r;

	(void)state;
	rng_seed(&r, 3);
	for (int i = 0; i < 40; i++) {
		double x[60];
		struct change_levels l;

		for (int k = 0; k < 60; k++)
			x[k] = 100 + 2 * rng_normal(&r);
		x[5 + i] = i % 2 ? 160 : 40;
		l = find(x, 60);
		assert_int_equal(l.n, 1);
		assert_false(l.v[0].drift);
		free(l.v);
	}
}

static void levels_and_states(void **state)
{
	double x[40];
	struct change_levels l;
	size_t accepted;

	(void)state;
	for (int i = 0; i < 40; i++)
		x[i] = (i < 20 ? 100 : 110) + (i % 3) * 0.5;
	l = find(x, 40);
	assert_int_equal(l.n, 2);
	assert_int_equal(l.v[0].end, 20);
	assert_int_equal(l.v[1].start, 20);
	assert_int_equal(l.v[1].end, 40);
	assert_true(l.v[0].to == 100.5 && l.v[1].from == 110.5);
	assert_false(l.v[1].provisional);
	free(l.v);
	/* The same change when it is only seven nights old. */
	l = find(x, 27);
	assert_int_equal(l.n, 2);
	assert_true(l.v[1].provisional);
	free(l.v);
	l = find(x, 23);
	assert_int_equal(l.n, 1);
	free(l.v);
	/* Below the minimum magnitude the two levels are one. */
	l = change_levels(x, 40, NULL, 0, 0.2);
	assert_int_equal(l.n, 1);
	free(l.v);
	/* Accepted where it happened: one change, and no alarm. */
	accepted = 20;
	l = change_levels(x, 40, &accepted, 1, -1);
	assert_int_equal(l.n, 2);
	assert_true(l.v[1].accepted && !l.v[1].provisional && l.v[1].start == 20);
	free(l.v);
}

static void short_or_constant_series_have_none(void **state)
{
	double x[50] = {0};

	(void)state;
	for (size_t n = 1; n <= 50; n++) {
		struct change_levels l = find(x, n);

		assert_int_equal(l.n, 1);
		assert_false(l.v[0].drift);
		assert_true(l.lag1 == 0);
		free(l.v);
	}
}

/* Exact counts: no noise at all, one step by one. */
static void a_step_without_noise(void **state)
{
	double x[30];
	struct change_levels l;

	(void)state;
	for (int i = 0; i < 30; i++)
		x[i] = i < 17 ? 23884 : 23885;
	l = change_levels(x, 30, NULL, 0, 0);
	assert_int_equal(l.n, 2);
	assert_int_equal(l.v[1].start, 17);
	free(l.v);
}

/* Five years of nights. */
static void a_long_series_is_quick(void **state)
{
	double x[1800];
	struct change_levels l;
	struct rng r;
	uint64_t t;

	(void)state;
	rng_seed(&r, 9);
	for (int i = 0; i < 1800; i++)
		x[i] = 100 + 10 * (i / 300 % 2) + 2 * rng_normal(&r);
	t = cpu_ns();
	l = find(x, 1800);
	t = cpu_ns() - t;
	print_message("%.0f ms\n", (double)t / 1e6);
	assert_int_equal(l.n, 6);
	for (size_t i = 1; i < 6; i++)
		assert_true(is_near(l.v[i].start, 300 * i));
	free(l.v);
	assert_true(t < NSEC_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_are_found_and_none_invented),
		cmocka_unit_test(correlation_is_no_level),
		cmocka_unit_test(steps_are_found_in_correlated_series),
		cmocka_unit_test(a_drift_is_no_staircase),
		cmocka_unit_test(a_staircase_is_no_drift),
		cmocka_unit_test(a_spike_is_not_a_level),
		cmocka_unit_test(levels_and_states),
		cmocka_unit_test(short_or_constant_series_have_none),
		cmocka_unit_test(a_step_without_noise),
		cmocka_unit_test(a_long_series_is_quick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
