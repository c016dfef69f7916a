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

#include "probes/exits.h"
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

static void add(struct exits *e, struct exit_sum like, const uint64_t *value, const uint64_t *n, size_t bins)
{
	for (size_t i = 0; i < bins; i++) {
		like.timed += n[i];
		like.timed_ns += n[i] * value[i];
		like.min_ns = MIN(like.min_ns, value[i]);
		like.max_ns = MAX(like.max_ns, value[i]);
	}
	like.count += like.timed;
	like.total_ns += like.timed_ns;
	assert_non_null(exits_add(e, &like));
	for (size_t i = 0; i < bins; i++)
		assert_int_equal(exits_add_bin(e, hist_slot(value[i]), n[i]), 0);
}

/* An interval is what was added: counts, times and slots, with the percentiles of the interval alone. */
static void test_interval(void **state)
{
	/* The longest so far is none of the interval's. */
	const uint64_t value[] = {1000, 64000, 5000000}, n1[] = {999, 0, 1}, n2[] = {999, 50, 1};
	const struct exit_sum row = {.serial = 3, .reason = 7, .min_ns = UINT64_MAX};
	struct exit_sum other = row, began = row;
	struct exits before = {0}, now = {0}, added;
	static struct hist h;

	(void)state;
	other.serial = 2;
	add(&before, row, value, n1, 3);
	before.sum[0].user_ns = 500;
	add(&now, other, value, n1, 1); /* a vCPU that was not there, and comes before */
	add(&now, row, value, n2, 3);
	now.sum[1].user_ns = 2500;
	began.reason = 9;
	began.count = 1;
	began.total_ns = 777; /* still going on */
	add(&now, began, value, n1, 0);
	assert_int_equal(exits_since(&added, &now, &before), 0);
	assert_int_equal(added.n, 3);
	assert_int_equal(added.sum[0].count, 999);
	assert_int_equal(added.sum[1].count, 50);
	assert_int_equal(added.sum[1].user_ns, 2000);
	assert_int_equal(added.sum[1].total_ns, 50 * 64000);
	assert_int_equal(added.sum[2].count, 1);
	assert_int_equal(added.sum[2].total_ns, 777);
	hist_init(&h);
	exits_hist(&added, &added.sum[1], &h);
	assert_int_equal(h.count, 50);
	assert_in_range(hist_quantile(&h, 0.01), 63360, 64640);
	assert_in_range(h.min, 63000, 64000);
	assert_in_range(h.max, 64000, 65000);
	exits_free(&added);
	assert_int_equal(exits_since(&added, &now, &now), 0);
	for (size_t i = 0; i < added.n; i++)
		assert_int_equal(added.sum[i].count + added.sum[i].total_ns + added.sum[i].n_bins, 0);
	exits_free(&added);
	exits_free(&now);
	exits_free(&before);
}

/* An exit that was asleep while it went on may turn out to have waited: nothing becomes less than nothing. */
static void test_parts_move(void **state)
{
	const struct exit_sum open = {
		.serial = 1, .reason = 1, .count = 1, .total_ns = 900, .asleep_ns = 900};
	const struct exit_sum closed = {.serial = 1, .reason = 1, .count = 1, .timed = 1, .total_ns = 1000,
					.timed_ns = 1000, .wait_ns = 600, .asleep_ns = 300};
	struct exits before = {0}, now = {0}, added;

	(void)state;
	assert_non_null(exits_add(&before, &open));
	assert_non_null(exits_add(&now, &closed));
	assert_int_equal(exits_since(&added, &now, &before), 0);
	assert_int_equal(added.sum[0].total_ns, 100);
	assert_int_equal(added.sum[0].asleep_ns, 0);
	assert_int_equal(exit_sum_kvm_ns(&added.sum[0]), 0);
	exits_free(&added);
	exits_free(&now);
	exits_free(&before);
}

/*
 * vCPUs 4 and 5 have been given up between two readings, and what they had is nobody's now: the interval
 * holds what they did in it, not what they ever did.
 */
static void test_given_up(void **state)
{
	const uint64_t value[] = {1000, 64000}, n4[] = {10, 1}, n5[] = {20, 0}, all[] = {33, 1};
	const struct exit_sum stays = {.serial = 3, .reason = 7, .key = 1, .min_ns = UINT64_MAX};
	struct exit_sum four = stays, five = stays, nobody = stays;
	struct exits before = {0}, now = {0}, added;

	(void)state;
	four.serial = 4;
	five.serial = 5;
	nobody.serial = 0;
	nobody.key = KEY_OTHER;
	add(&before, stays, value, n5, 2);
	add(&before, four, value, n4, 2);
	add(&before, five, value, n5, 2);
	add(&now, nobody, value, all, 2);
	add(&now, stays, value, n5, 2);
	assert_int_equal(exits_since(&added, &now, &before), 0);
	assert_int_equal(added.n, 2);
	assert_int_equal(added.sum[0].count, 3);
	assert_int_equal(added.sum[0].total_ns, 3000);
	assert_int_equal(added.sum[0].n_bins, 1);
	assert_int_equal(added.bin[added.sum[0].first_bin].n, 3);
	assert_int_equal(added.sum[1].count, 0);
	exits_free(&added);
	exits_free(&now);
	exits_free(&before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_percentiles),
		cmocka_unit_test(test_row_slots),
		cmocka_unit_test(test_interval),
		cmocka_unit_test(test_parts_move),
		cmocka_unit_test(test_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
