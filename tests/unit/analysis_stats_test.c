// SPDX-License-Identifier: MIT
/*
 * Reference values: SciPy 1.10.1 (quantile, median_abs_deviation, hmean, gmean,
 * mannwhitneyu(method="exact"), bootstrap(method="percentile", 200,000
 * resamples)); Hollander and Wolfe (1973) as in the examples of R's wilcox.test; Benjamini and
 * Hochberg (1995), section 4.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/family.h"
#include "analysis/power.h"
#include "analysis/stats.h"
#include "base/rng.h"

static const double base_run[] = {9.41, 9.52, 9.38, 9.47, 9.12, 9.55, 9.44, 9.40, 9.49, 9.61};
static const double new_run[] = {9.21, 9.02, 9.35, 9.17, 8.95, 9.30, 9.26, 9.11, 9.24, 9.33};

#define N ARRAY_SIZE(base_run)

static void near(double got, double want, double tolerance, const char *what)
{
	if (!(fabs(got - want) <= tolerance * MAX(1e-3, fabs(want))))
		fail_msg("%s: %.12g, reference says %.12g", what, got, want);
}

static void location_and_spread(void **state)
{
	(void)state;
	near(stats_quantile(base_run, N, 0.05), 9.237, 1e-12, "5 %");
	near(stats_quantile(base_run, N, 0.25), 9.4025, 1e-12, "25 %");
	near(stats_median(base_run, N), 9.455, 1e-12, "median");
	near(stats_quantile(base_run, N, 0.9), 9.556, 1e-12, "90 %");
	near(stats_quantile(base_run, N, 1), 9.61, 1e-12, "100 %");
	near(stats_mad(base_run, N), 0.06, 1e-9, "MAD");
	near(stats_harmonic_mean(base_run, N), 9.437282506307344, 1e-12, "harmonic mean");
	near(stats_geometric_mean(base_run, N), 9.438146293145463, 1e-12, "geometric mean");
	assert_true(isnan(stats_median(NULL, 0)));
	assert_true(isnan(stats_harmonic_mean((double[]){1, 0}, 2)));
	assert_true(isnan(stats_geometric_mean((double[]){1, -1}, 2)));
}

static void intervals(void **state)
{
	struct interval ci = stats_median_ci(base_run, N);

	(void)state;
	near(ci.low, 9.393153153153154, 1e-9, "median low");
	near(ci.high, 9.53027027027027, 1e-9, "median high");
	ci = stats_median_ci(base_run, 6);
	near(ci.low, 9.212857142857143, 1e-9, "median of 6, low");
	near(ci.high, 9.539285714285715, 1e-9, "median of 6, high");
	ci = stats_ratio_ci(base_run, N, new_run, N, 7);
	near(ci.point, 0.9756742464304602, 1e-12, "ratio");
	near(ci.low, 0.9602094240837693, 5e-4, "ratio low");
	near(ci.high, 0.9867070451529827, 5e-4, "ratio high");
	ci = stats_hl_ratio_ci(base_run, N, new_run, N, 0.95);
	near(ci.point, 0.9750134285881137, 1e-9, "HL ratio");
	near(ci.low, 0.9602094240837696, 1e-9, "HL low");
	near(ci.high, 0.9852164730728618, 1e-9, "HL high");
}

/* Fewer than six boots have a median but no interval; neither has what cannot be put on a log
 * scale. */
static void no_interval_without_grounds(void **state)
{
	static const double zeros[] = {0, 0, 0, 1, 2, 3};
	struct interval ci = stats_median_ci(base_run, 5);

	(void)state;
	near(ci.point, 9.41, 1e-12, "median of 5");
	assert_true(isnan(ci.low) && isnan(ci.high));
	ci = stats_ratio_ci(base_run, 5, new_run, N, 1);
	assert_true(!isnan(ci.point) && isnan(ci.low));
	assert_true(isnan(stats_ratio_ci(zeros, 6, new_run, N, 1).point));
	assert_true(isnan(stats_hl_ratio_ci(zeros, 6, new_run, N, 0.95).point));
	ci = stats_difference_ci(zeros, 6, zeros, 6, 1);
	assert_true(ci.point == 0 && ci.low <= 0 && ci.high >= 0);
	ci = stats_ratio_ci(new_run, N, new_run, N, 1);
	assert_true(ci.low < 1 && ci.high > 1);
}

static void same_seed_same_interval(void **state)
{
	struct interval a = stats_ratio_ci(base_run, N, new_run, N, 3);
	struct interval b = stats_ratio_ci(base_run, N, new_run, N, 3);

	(void)state;
	assert_true(a.low == b.low && a.high == b.high);
}

static void rank_sum_tests(void **state)
{
	static const double x[] = {0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46};
	static const double y[] = {1.15, 0.88, 0.90, 0.74, 1.21};
	static const double equal[] = {5, 5, 5, 5, 5, 5};
	double exps[15];

	(void)state;
	near(stats_ranksum_p(x, 10, y, 5, 1), 0.2544122544122544, 1e-9,
	     "Hollander and Wolfe, p. 69");
	for (size_t i = 0; i < 15; i++)
		exps[i] = exp(i < 10 ? x[i] : y[i - 10]);
	near(log(stats_hl_ratio_ci(exps + 10, 5, exps, 10, 0.95).point), 0.305, 1e-9, "its shift");
	near(stats_ranksum_p(base_run, 6, new_run, 6, 1), 0.025974025974025976, 1e-9,
	     "ranks, 6 and 6");
	/* 184,756 permutations are drawn from: within Monte Carlo error of 0.000487. */
	near(stats_ranksum_p(base_run, N, new_run, N, 1), 0.000487, 0.6, "ranks, 10 and 10");
	near(stats_ranksum_p(equal, 6, equal, 6, 1), 1, 1e-12, "all equal");
}

static void smallest_possible_p(void **state)
{
	static const struct {
		double x[14];
		size_t na, nb;
	} cases[] = {
		{{1, 2, 3, 4, 5, 6, 7}, 3, 4},
		{{0, 0, 0, 0, 0, 0, 1}, 3, 4},
		{{0, 0, 1, 1, 1, 2, 2}, 3, 4},
		{{0, 0, 0, 1, 2, 3, 3}, 2, 5},
		{{5, 5, 5, 5, 5, 5, 5}, 3, 4},
		{{1, 1, 2, 2, 3, 3, 4, 4}, 4, 4},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t n = cases[i].na + cases[i].nb;
		double least = 1;

		/* By trying every way to choose na of them. */
		for (unsigned set = 0; set < 1u << n; set++) {
			double a[14], b[14];
			size_t na = 0, nb = 0;

			for (size_t k = 0; k < n; k++)
				if (set >> k & 1)
					a[na++] = cases[i].x[k];
				else
					b[nb++] = cases[i].x[k];
			if (na == cases[i].na)
				least = MIN(least, stats_ranksum_p(a, na, b, nb, 1));
		}
		near(stats_ranksum_least_p(cases[i].x, cases[i].na, cases[i].x + cases[i].na,
					   cases[i].nb),
		     least, 1e-9, "smallest p");
	}
	near(stats_ranksum_least_p(base_run, 6, new_run, 6), 2 / 924.0, 1e-9, "6 and 6");
	near(stats_ranksum_least_p(base_run, 7, new_run, 7), 2 / 3432.0, 1e-9, "7 and 7");
}

static void families(void **state)
{
	static const struct family_test tests[] = {
		{FAMILY_HEADLINE, 0.02, 0.001, 0, 0}, {FAMILY_HEADLINE, 0.04, 0.001, 0, 0},
		{FAMILY_OTHER, 0.005, 0.001, 0, 0},   {FAMILY_OTHER, 0.5, 0.015, 0, 0},
		{FAMILY_OTHER, 1, 1, 0, 0},	      {FAMILY_ASIDE, 0.01, 0.01, 0, 0},
		{FAMILY_OTHER, NAN, NAN, 0, 0},
	};
	static const struct {
		double adjusted, cut;
		bool too_large;
	} want[] = {
		{0.08, 0.0125, false}, {0.08, 0.0125, false}, {0.02, 0.0125, false}, {1, 0.0125, true},
		{NAN, NAN, false},     {0.01, 0.05, false},   {NAN, NAN, false},
	};
	struct family_test t[ARRAY_SIZE(tests)];

	(void)state;
	memcpy(t, tests, sizeof(t));
	family_adjust(t, ARRAY_SIZE(t), 0.05);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		if (isnan(want[i].cut)) {
			assert_true(isnan(t[i].adjusted) && isnan(t[i].cut));
		} else {
			near(t[i].adjusted, want[i].adjusted, 1e-12, "adjusted p in a family");
			near(t[i].cut, want[i].cut, 1e-12, "p that passes alone");
		}
		assert_int_equal(family_too_large(&t[i]), want[i].too_large);
	}
	/* No headline among them: nothing is put aside for it. */
	family_adjust(t + 2, 5, 0.05);
	near(t[2].cut, 0.025, 1e-12, "others only");
}

static void parts_of_a_family(void **state)
{
	static const struct {
		const char *metric, *headline;
		int better;
		enum family_part part;
	} cases[] = {
		{"exits", "window_ns exits", -1, FAMILY_HEADLINE},
		{"exits", "exits_per_s op_ns exits", -1, FAMILY_HEADLINE},
		{"exits", "exits_per_s userspace_exits", -1, FAMILY_OTHER},
		{"exits", NULL, -1, FAMILY_OTHER},
		{"packets", "packets", 0, FAMILY_ASIDE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(family_part_of(cases[i].metric, cases[i].better, cases[i].headline),
				 cases[i].part);
}

static void benjamini_hochberg(void **state)
{
	static const double p[] = {0.7590, 0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298,
				   0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 1.0};
	static const double want[] = {0.81321429, 0.0015,     0.003,	  0.0095,     0.035625,
				      0.0603,	  0.06385714, 0.06385714, 0.0645,     0.0765,
				      0.486,	  0.58118182, 0.714875,	  0.75323077, 1.0};
	double got[ARRAY_SIZE(p)];
	int rejected = 0;

	(void)state;
	stats_adjust_bh(p, ARRAY_SIZE(p), got);
	for (size_t i = 0; i < ARRAY_SIZE(p); i++) {
		near(got[i], want[i], 1e-7, "adjusted p");
		rejected += got[i] <= 0.05;
	}
	assert_int_equal(rejected, 4);
}

/* With one window per boot the hierarchy changes nothing; windows that differ less than boots add
 * nothing. */
static void hierarchy(void **state)
{
	static const size_t one[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
	size_t five[N + 1];
	double a[5 * N], b[5 * N];
	struct interval plain = stats_ratio_ci(base_run, N, new_run, N, 1);
	struct interval ci = stats_nested_ratio_ci(&(struct stats_nested){base_run, one, N},
						   &(struct stats_nested){new_run, one, N}, 1);

	(void)state;
	near(ci.low, plain.low, 2e-3, "one window, low");
	near(ci.high, plain.high, 2e-3, "one window, high");
	for (size_t i = 0; i < 5 * N; i++) {
		a[i] = base_run[i / 5];
		b[i] = new_run[i / 5];
		five[i / 5] = i / 5 * 5;
	}
	five[N] = 5 * N;
	ci = stats_nested_ratio_ci(&(struct stats_nested){a, five, N},
				   &(struct stats_nested){b, five, N}, 1);
	assert_int_equal(ci.n, N);
	/* Fifty equal windows from ten boots must not look like fifty boots. */
	assert_true(ci.high - ci.low > 0.7 * (plain.high - plain.low));
}

/* ---- simulated experiments; EXITLAB_SOAK runs all 2,000 of each kind ---- */

static int experiments(int quick)
{
	return getenv("EXITLAB_SOAK") ? 2000 : quick;
}

static double draw(struct rng *r, int kind)
{
	double z = rng_normal(r);

	if (kind == 0)
		return 100 * (1 + 0.03 * z);
	if (kind == 1)
		return 100 * exp(0.3 * z);
	return (rng_double(r) < 0.7 ? 100 : 80) * (1 + 0.02 * z);
}

/* Median of the third kind: 0.7 F1 + 0.3 F2 = 0.5, solved beforehand. */
static const double true_median[] = {100, 100, 98.86810235};

static void coverage(void **state)
{
	int total = experiments(80);
	double slack = getenv("EXITLAB_SOAK") ? 0 : 0.04;

	(void)state;
	for (int kind = 0; kind < 3; kind++) {
		int median = 0, ratio = 0, hl = 0;
		struct rng r;

		rng_seed(&r, 20260101 + (uint64_t)kind);
		for (int i = 0; i < total; i++) {
			double a[10], b[10];
			struct interval ci;

			for (int k = 0; k < 10; k++) {
				a[k] = draw(&r, kind);
				b[k] = draw(&r, kind);
			}
			ci = stats_median_ci(a, 10);
			median += ci.low <= true_median[kind] && true_median[kind] <= ci.high;
			ci = stats_ratio_ci(a, 10, b, 10, (uint64_t)i);
			ratio += ci.low <= 1 && 1 <= ci.high;
			ci = stats_hl_ratio_ci(a, 10, b, 10, 0.95);
			hl += ci.low <= 1 && 1 <= ci.high;
		}
		print_message(
			"kind %d, %d experiments: median %.2f %%, ratio %.2f %%, HL %.2f %%\n",
			kind, total, 100.0 * median / total, 100.0 * ratio / total,
			100.0 * hl / total);
		assert_true(median >= (0.93 - slack) * total && median <= (0.97 + slack) * total);
		assert_true(ratio >= (0.93 - slack) * total && ratio <= (0.97 + slack) * total);
		assert_true(hl >= (0.93 - slack) * total && hl <= (0.97 + slack) * total);
	}
}

static void two_modes_are_seen_and_not_invented(void **state)
{
	static const double two[] = {9.4, 2.8, 9.5, 9.3, 2.9, 9.6, 9.4, 2.7, 9.5, 9.2};
	static const double outlier[] = {9.4, 9.3, 9.5, 9.3, 9.4, 9.6, 9.4, 2.7, 9.5, 9.2};
	static const double quantised[] = {100.0, 100.1, 100.0, 100.1, 100.0, 100.1, 100.1, 100.0};
	int total = experiments(500), alarms = 0;
	struct rng r;

	(void)state;
	assert_true(stats_bimodal(two, 10));
	assert_false(stats_bimodal(outlier, 10));
	assert_false(stats_bimodal(quantised, 8));
	assert_false(stats_bimodal(two, 5));
	rng_seed(&r, 5);
	for (int i = 0; i < total; i++) {
		double x[12];

		for (int k = 0; k < 12; k++)
			x[k] = draw(&r, i % 2);
		alarms += stats_bimodal(x, 12);
	}
	assert_true(alarms <= total / 100);
}

/* What is said to be detectable is detected in about 80 % of repetitions. */
static void detectable_effect_is_detected(void **state)
{
	int total = experiments(150), found = 0;
	struct rng r;

	(void)state;
	rng_seed(&r, 11);
	for (int i = 0; i < total; i++) {
		double a[10], b[10], ratio;
		struct interval ci;

		for (int k = 0; k < 10; k++) {
			a[k] = draw(&r, 0);
			b[k] = draw(&r, 0);
		}
		ci = stats_ratio_ci(a, 10, b, 10, (uint64_t)i);
		ratio = stats_detectable_ratio(&ci);
		for (int k = 0; k < 10; k++)
			b[k] = draw(&r, 0) * ratio;
		ci = stats_ratio_ci(a, 10, b, 10, (uint64_t)i);
		found += ci.low > 1;
	}
	print_message("detected %.1f %%\n", 100.0 * found / total);
	assert_true(found > total * 7 / 10 && found < total * 9 / 10);
}

/* Simulated for few boots, by the normal distribution for many: the two meet. */
static void shift_that_a_rank_test_finds(void **state)
{
	static const double p[] = {0.05, 0.01, 0.001};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(p); i++)
		near(power_rank_shift(20, 20, p[i]) * sqrt(20 / 21.0), power_rank_shift(21, 21, p[i]), 0.08,
		     "shift at 20 and 21 boots");
	assert_true(isinf(power_rank_shift(6, 6, 0.002)));
	assert_true(isfinite(power_rank_shift(7, 7, 0.002)));
}

static void random_numbers_are_xoshiro(void **state)
{
	struct rng r = {{1, 2, 3, 4}};
	/* First outputs of the authors' xoshiro256starstar.c for the state 1, 2, 3, 4. */
	static const uint64_t want[] = {11520, 0, 1509978240, 1215971899390074240};
	uint64_t seed = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		assert_true(rng_next(&r) == want[i]);
	/* First output of the authors' splitmix64.c from 0. */
	assert_true(rng_splitmix(&seed) == 0xe220a8397b1dcdaf);
	for (int i = 0; i < 1000; i++) {
		double d = rng_double(&r);

		assert_true(rng_below(&r, 7) < 7);
		assert_true(d >= 0 && d < 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(location_and_spread),
		cmocka_unit_test(intervals),
		cmocka_unit_test(no_interval_without_grounds),
		cmocka_unit_test(same_seed_same_interval),
		cmocka_unit_test(rank_sum_tests),
		cmocka_unit_test(smallest_possible_p),
		cmocka_unit_test(benjamini_hochberg),
		cmocka_unit_test(families),
		cmocka_unit_test(parts_of_a_family),
		cmocka_unit_test(hierarchy),
		cmocka_unit_test(coverage),
		cmocka_unit_test(two_modes_are_seen_and_not_invented),
		cmocka_unit_test(detectable_effect_is_detected),
		cmocka_unit_test(shift_that_a_rank_test_finds),
		cmocka_unit_test(random_numbers_are_xoshiro),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
