// SPDX-License-Identifier: MIT
/*
 * The histogram as the BPF side fills it: percentiles within 1 % of the sorted samples, and rows turned
 * back rightly.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "probes/exit.h"
#include "probes/state.h"

#define SAMPLES 200000
#define SEED    20260314u

static uint64_t rng_state = SEED;

static double uniform(void)
{
	rng_state = rng_state * 6364136223846793005ull + 1442695040888963407ull;
	return (double)(rng_state >> 11) / (double)(1ull << 53);
}

static double sample_exponential(void)
{
	return -20000.0 * log(1 - uniform());
}

/* Fast path and slow path: two heaps far apart. */
static double sample_bimodal(void)
{
	return uniform() < 0.9 ? 1100 + 300 * uniform() : 180000 + 40000 * uniform();
}

/* A heavy tail up to minutes. */
static double sample_pareto(void)
{
	return fmin(500 / pow(1 - uniform(), 1.2), 3e11);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void check_distribution(double (*draw)(void), const char *name)
{
	static const double q[] = {0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999};
	static uint64_t v[SAMPLES];
	static struct hist h;

	hist_init(&h);
	for (size_t i = 0; i < SAMPLES; i++) {
		v[i] = (uint64_t)draw();
		hist_add(&h, v[i]);
	}
	qsort(v, SAMPLES, sizeof(v[0]), by_value);
	for (size_t i = 0; i < ARRAY_SIZE(q); i++) {
		double exact = (double)v[(size_t)ceil(q[i] * SAMPLES) - 1];
		double got = (double)hist_quantile(&h, q[i]);

		if (fabs(got - exact) > 0.01 * exact + 1)
			fail_msg("%s, seed %u: q%g is %g, exactly %g", name, SEED, q[i], got, exact);
	}
}

static void test_percentiles(void **state)
{
	(void)state;
	check_distribution(sample_exponential, "exponential");
	check_distribution(sample_bimodal, "bimodal");
	check_distribution(sample_pareto, "pareto");
}

/* ROW_SLOT only turns the slots: each has one place, and the hot ones share the counters' page. */
static void test_row_slots(void **state)
{
	static bool taken[HIST_SLOTS];
	size_t header = offsetof(struct exit_row, slots);

	(void)state;
	for (unsigned i = 0; i < HIST_SLOTS; i++) {
		unsigned at = ROW_SLOT(i);

		assert_in_range(at, 0, HIST_SLOTS - 1);
		assert_false(taken[at]);
		taken[at] = true;
	}
	assert_true(header + ROW_SLOT(hist_slot(512)) * 8 < 4096);
	assert_true(header + ROW_SLOT(hist_slot(100000)) * 8 + 8 <= 4096);
	assert_int_equal(sizeof(struct exit_row) % 4096, 0);
	assert_int_equal(sizeof(struct plain_hist), sizeof(struct hist));
}

/* An interval is what was added: counts, times and slots, with the percentiles of the interval alone. */
static void test_subtract(void **state)
{
	static struct exit_sum before, after;

	(void)state;
	hist_init(&before.hist);
	for (int i = 0; i < 999; i++)
		hist_add(&before.hist, 1000);
	hist_add(&before.hist, 5000000); /* the longest so far, and none of the interval's */
	before.count = 1000;
	before.user_count = 10;
	before.user_ns = 500;
	after = before;
	for (int i = 0; i < 50; i++)
		hist_add(&after.hist, 64000);
	after.count = 1050;
	after.user_count = 60;
	after.user_ns = 2500;
	exit_sum_subtract(&after, &before);
	assert_int_equal(after.count, 50);
	assert_int_equal(after.user_count, 50);
	assert_int_equal(after.user_ns, 2000);
	assert_int_equal(after.hist.sum, 50 * 64000);
	assert_in_range(hist_quantile(&after.hist, 0.01), 63360, 64640);
	assert_in_range(after.hist.min, 63000, 64000);
	assert_in_range(after.hist.max, 64000, 65000);
	exit_sum_subtract(&after, &after);
	assert_int_equal(after.hist.count + after.hist.max, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_percentiles),
		cmocka_unit_test(test_row_slots),
		cmocka_unit_test(test_subtract),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
