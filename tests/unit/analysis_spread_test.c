// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>

#include "analysis/spread.h"
#include "base/file.h"
#include "base/log.h"
#include "base/rng.h"
#include "results/query.h"
#include "results/store.h"
#include "tests/unit/fake_record.h"

static void near(double got, double want, double tolerance, const char *what)
{
	if (!(fabs(got - want) <= tolerance))
		fail_msg("%s: %.9g, expected %.9g", what, got, want);
}

static void spreads_of_runs(void **state)
{
	static const struct {
		struct spread_run run[12];
		size_t n, pairs;
		double sd; /* NAN: not known */
	} cases[] = {
		/* Five pairs that differ by 0.02 sqrt(2): each a standard deviation of 0.02. */
		{{{0, 0, 1}, {0.0282843, 0, 1}, {1, 0, 2}, {1.0282843, 0, 2}, {0, 0, 3}, {0.0282843, 0, 3},
		  {2, 0, 4}, {2.0282843, 0, 4}, {0, 0, 5}, {0.0282843, 0, 5}}, 10, 5, 0.02},
		/* What the medians' errors explain is not between the runs. */
		{{{0, 0.02, 1}, {0.0282843, 0.02, 1}, {1, 0.02, 2}, {1.0282843, 0.02, 2},
		  {0, 0.02, 3}, {0.0282843, 0.02, 3}, {2, 0.02, 4}, {2.0282843, 0.02, 4},
		  {0, 0.02, 5}, {0.0282843, 0.02, 5}}, 10, 5, 0},
		/* Six runs of one build are five pairs. */
		{{{0, 0, 1}, {2, 0, 1}, {0, 0, 1}, {2, 0, 1}, {0, 0, 1}, {2, 0, 1}}, 6, 5, 1.0954451},
		{{{0, 0, 1}, {2, 0, 1}, {0, 0, 1}, {2, 0, 1}, {0, 0, 1}}, 5, 4, NAN},
		{{{0, 0, 1}, {2, 0, 2}, {0, 0, 3}, {2, 0, 4}, {0, 0, 5}, {1, 0, 6}}, 6, 0, NAN},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct spread s = spread_of_runs(cases[i].run, cases[i].n);

		assert_int_equal(s.pairs, cases[i].pairs);
		assert_int_equal(isnan(s.sd), isnan(cases[i].sd));
		if (!isnan(s.sd))
			near(s.sd, cases[i].sd, 1e-4, "spread");
	}
}

/* Student's quantiles from tables: t(0.975) is 2.101 with 18 degrees of freedom and 2.086 with 20. */
static void intervals_grow_by_the_spread(void **state)
{
	struct interval ci = {1, exp(-0.02101), exp(0.02101), 10};
	double p = 0.3;

	(void)state;
	spread_widen(&(struct spread){NAN, 0}, &ci, 10, 10, &p);
	near(ci.high, exp(0.02101), 1e-12, "nothing known");
	spread_widen(&(struct spread){0, 20}, &ci, 10, 10, &p);
	near(ci.high, exp(0.02101), 1e-12, "no spread");
	/* A spread that leaves nothing of the boots' own. */
	spread_widen(&(struct spread){1, 20}, &ci, 10, 10, &p);
	near(log(ci.high), 2.086 * M_SQRT2, 2e-3, "all spread");
	near(log(ci.low), -2.086 * M_SQRT2, 2e-3, "all spread");
	near(p, 1, 1e-9, "p of no change");
	ci = (struct interval){exp(0.01), 1.0001, exp(0.02), 10};
	p = 0.001;
	spread_widen(&(struct spread){0.02, 20}, &ci, 10, 10, &p);
	assert_true(ci.low < 1 && p > 0.5);
}

/* ---- from a store ---- */

static void commit_run(struct store *s, const char *sha256, double level)
{
	double x[7];
	char id[32], *dir;
	json_t *rec;

	for (int i = 0; i < 7; i++)
		x[i] = level + 0.01 * i;
	rec = fake_record("virtio", "latency_ns", x, 7);
	json_object_set_new(rec, "inputs", json_pack("[{s:s, s:s}]", "name", "builtin", "sha256", sha256));
	json_object_set_new(rec, "summary",
			    json_pack("{s:{s:f, s:f, s:f, s:i, s:s}}", "latency_ns", "median", x[3],
				      "ci_low", x[3], "ci_high", x[3], "n", 7, "unit", "ns"));
	assert_int_equal(store_begin(s, id, &dir), 0);
	assert_int_equal(store_commit(s, id, rec), 0);
	free(dir);
	json_decref(rec);
}

static void learned_from_runs_of_the_same_programs(void **state)
{
	char *dir = fake_dir(), *series;
	json_t *rec = fake_record("virtio", "latency_ns", (double[]){1}, 1);
	struct spreads spreads;
	struct spread s;
	struct store *store;

	(void)state;
	assert_int_equal(store_open(&store, dir), 0);
	/* Each build is twice as slow as the last one; its runs differ by 10 %. */
	for (int i = 0; i < 6; i++) {
		char sha256[2] = {(char)('a' + i), '\0'};

		commit_run(store, sha256, 100 << i);
		commit_run(store, sha256, 110 << i);
	}
	series = record_series(rec);
	assert_int_equal(spreads_learn(&spreads, store, series), 0);
	s = spreads_find(&spreads, "latency_ns");
	assert_int_equal(s.pairs, 6);
	near(s.sd, log(1.1) / M_SQRT2, 1e-4, "learned");
	assert_true(isnan(spreads_find(&spreads, "throughput_bps").sd));
	spreads_free(&spreads);
	assert_int_equal(spreads_learn(&spreads, store, "another"), 0);
	assert_int_equal(spreads.n, 0);
	spreads_free(&spreads);
	store_close(store);
	dir_remove_all(dir);
	free(series);
	free(dir);
	json_decref(rec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spreads_of_runs),
		cmocka_unit_test(intervals_grow_by_the_spread),
		cmocka_unit_test(learned_from_runs_of_the_same_programs),
	};

	log_init("test", LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
