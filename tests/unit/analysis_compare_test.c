// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "analysis/compare.h"
#include "base/clock.h"
#include "base/rng.h"
#include "results/record.h"
#include "tests/unit/cpu_clock.h"
#include "tests/unit/fake_record.h"

/* n boots around level with 1 % noise. */
static json_t *noisy(const char *metric, double level, int n, uint64_t seed)
{
	double x[100];
	struct rng r;

	rng_seed(&r, seed);
	for (int i = 0; i < n; i++)
		x[i] = level * (1 + 0.01 * rng_normal(&r));
	return fake_record("virtio", metric, x, n);
}

static void verdicts(void **state)
{
	static const struct {
		const char *metric;
		double base, changed;
		int n;
		enum verdict want;
	} cases[] = {
		{"throughput_bps", 1e9, 1.1e9, 10, VERDICT_BETTER},
		{"throughput_bps", 1e9, 0.9e9, 10, VERDICT_WORSE},
		{"latency_ns", 5e4, 6e4, 10, VERDICT_WORSE},
		{"latency_ns", 5e4, 4e4, 10, VERDICT_BETTER},
		{"packets", 1e6, 2e6, 10, VERDICT_CHANGED},
		{"no_such_metric", 1, 2, 10, VERDICT_CHANGED},
		{"throughput_bps", 1e9, 1e9, 10, VERDICT_NO_EVIDENCE},
		{"throughput_bps", 1e9, 0.5e9, 5, VERDICT_TOO_FEW},
		{"kicks_per_packet", 0, 0, 10, VERDICT_EQUAL},
		{"kicks_per_packet", 0, 0.5, 10, VERDICT_WORSE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *a = noisy(cases[i].metric, cases[i].base, cases[i].n, 1);
		json_t *b = noisy(cases[i].metric, cases[i].changed, cases[i].n, 2);
		struct compare_row *rows;

		assert_int_equal(compare_records(a, b, &(struct compare_opts){.seed = 1}, &rows), 1);
		if (rows[0].verdict != cases[i].want)
			fail_msg("case %zu: %s", i, verdict_text(rows[0].verdict));
		assert_int_equal(rows[0].is_ratio, cases[i].base > 0);
		free(rows);
		json_decref(a);
		json_decref(b);
	}
}

/* In virtual time one exit more is a change, with any number of boots. */
static void virtual_time_is_exact(void **state)
{
	static const struct {
		double a[2], b[2];
		enum verdict want;
	} cases[] = {
		{{100, 100}, {100, 100}, VERDICT_EQUAL},
		{{100, 100}, {101, 101}, VERDICT_WORSE},
		{{100, 100}, {99, 99}, VERDICT_BETTER},
		{{99, 101}, {98, 102}, VERDICT_CHANGED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *a = fake_record("virtio", "exits", cases[i].a, 2),
		       *b = fake_record("virtio", "exits", cases[i].b, 2);
		struct compare_row *rows;

		json_object_set_new(a, "time_base", json_string("virtual"));
		json_object_set_new(b, "time_base", json_string("virtual"));
		assert_int_equal(compare_records(a, b, &(struct compare_opts){.seed = 1}, &rows), 1);
		assert_true(rows[0].exact);
		assert_int_equal(rows[0].verdict, cases[i].want);
		free(rows);
		json_decref(a);
		json_decref(b);
	}
}

static void windows_of_a_boot_count_once(void **state)
{
	json_t *rec = noisy("throughput_bps", 1e9, 12, 1), *sample;
	struct compare_row *rows;
	double *x;
	size_t i, n;

	(void)state;
	json_array_foreach (json_object_get(rec, "samples"), i, sample)
		json_object_set_new(sample, "boot", json_integer((json_int_t)(i % 3)));
	x = compare_boot_values(rec, "throughput_bps", &n);
	assert_int_equal(n, 3);
	free(x);
	assert_int_equal(compare_records(rec, rec, &(struct compare_opts){.seed = 1}, &rows), 1);
	assert_int_equal(rows[0].effect.n, 3);
	assert_int_equal(rows[0].verdict,
			 VERDICT_TOO_FEW); /* twelve windows are not twelve boots */
	free(rows);
	json_decref(rec);
}

/* Twenty metrics without a change: at 5 % each, one would cry wolf in most comparisons. */
static void false_discoveries_are_kept_down(void **state)
{
	int alarms = 0;

	(void)state;
	for (uint64_t run = 0; run < 8; run++) {
		json_t *a = noisy("m0", 1, 8, run * 100), *b = noisy("m0", 1, 8, run * 100 + 50);
		struct compare_row *rows;
		struct rng r;
		json_t *s;
		size_t n, i;

		rng_seed(&r, run);
		for (int k = 1; k < 20; k++) {
			char name[8];

			snprintf(name, sizeof(name), "m%d", k);
			json_array_foreach (json_object_get(a, "samples"), i, s)
				json_object_set_new(json_object_get(s, "metrics"), name,
						    json_real(10 + rng_normal(&r)));
			json_array_foreach (json_object_get(b, "samples"), i, s)
				json_object_set_new(json_object_get(s, "metrics"), name,
						    json_real(10 + rng_normal(&r)));
		}
		n = compare_records(a, b, &(struct compare_opts){.seed = run}, &rows);
		assert_int_equal(n, 20);
		for (i = 0; i < n; i++)
			alarms += rows[i].verdict == VERDICT_CHANGED;
		free(rows);
		json_decref(a);
		json_decref(b);
	}
	assert_true(alarms <= 2);
}

/* ---- many metrics ---- */

/* Real names, since only what has a direction is in the family: 37 beside the headline. */
static size_t directed(const char **names, size_t most)
{
	size_t n = 0;

	for (const struct metric_info *m = metric_table; m->name && n < most; m++)
		if (m->better)
			names[n++] = m->name;
	return n;
}

struct crowd {
	int boots;
	size_t metrics;	     /* with a direction and noise */
	const char *changed; /* this one is times factor */
	double factor;
	int constants, aside; /* equal in all boots; without a direction */
};

static json_t *crowd_record(const struct crowd *c, double factor, struct rng *r)
{
	const char *names[64];
	size_t n = directed(names, c->metrics);
	json_t *rec = noisy("throughput_bps", 1e9, c->boots, rng_next(r)), *s;
	size_t i;

	json_array_foreach (json_object_get(rec, "samples"), i, s) {
		json_t *m = json_object_get(s, "metrics");
		char name[24];

		for (size_t k = 0; k < n; k++)
			json_object_set_new(m, names[k],
					    json_real((strcmp(names[k], c->changed) ? 100 : 100 * factor) *
						      (1 + 0.03 * rng_normal(r))));
		for (int k = 0; k < c->constants; k++) {
			snprintf(name, sizeof(name), "constant%d", k);
			json_object_set_new(m, name, json_integer(k));
		}
		for (int k = 0; k < c->aside; k++) {
			snprintf(name, sizeof(name), "aside%d", k);
			json_object_set_new(m, name, json_real(100 + rng_normal(r)));
		}
	}
	return rec;
}

static const char headline[] = "throughput_bps exits_per_packet kicks_per_packet interrupts_per_packet "
			       "cpu_ns_per_packet latency_ns";

/* The row of the metric that has changed. */
static struct compare_row crowd_row(const struct crowd *c, struct rng *r)
{
	json_t *a = crowd_record(c, 1, r), *b = crowd_record(c, c->factor, r);
	const struct compare_opts opts = {.seed = 1, .headline = headline};
	struct compare_row *rows, changed = {.verdict = VERDICT_NO_EVIDENCE};
	size_t n = compare_records(a, b, &opts, &rows);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(rows[i].metric, c->changed))
			changed = rows[i];
	free(rows);
	json_decref(a);
	json_decref(b);
	return changed;
}

static enum verdict crowd_verdict(const struct crowd *c, struct rng *r)
{
	return crowd_row(c, r).verdict;
}

static void one_changed_metric_among_many(void **state)
{
	static const struct {
		struct crowd crowd;
		enum verdict want;
	} cases[] = {
		/* What matters most is seen with six boots. */
		{{6, 40, "throughput_bps", 0.1, 0, 0}, VERDICT_WORSE},
		{{6, 40, "packets_per_s", 0.1, 0, 0}, VERDICT_TOO_MANY},
		{{7, 40, "packets_per_s", 0.1, 0, 0}, VERDICT_WORSE},
		/* What cannot pass takes nothing from what can. */
		{{6, 12, "packets_per_s", 0.1, 40, 40}, VERDICT_WORSE},
		{{6, 40, "peer_cpu_pct", 1, 0, 0}, VERDICT_TOO_MANY},
		{{7, 40, "peer_cpu_pct", 1, 0, 0}, VERDICT_NO_EVIDENCE},
	};
	struct rng r;

	(void)state;
	rng_seed(&r, 8);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		enum verdict is = crowd_verdict(&cases[i].crowd, &r);

		if (is != cases[i].want)
			fail_msg("case %zu: %s", i, verdict_text(is));
	}
}

static void half_of_one_of_forty_is_caught_with_seven_boots(void **state)
{
	static const char *const changed[] = {"throughput_bps", "packets_per_s"};
	int total = getenv("EXITLAB_SOAK") ? 1000 : 10;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(changed); k++) {
		const struct crowd c = {7, 40, changed[k], 0.5, 2, 2};
		int caught = 0;
		struct rng r;

		rng_seed(&r, 40 + k);
		for (int i = 0; i < total; i++)
			caught += crowd_verdict(&c, &r) == VERDICT_WORSE;
		print_message("%s halved, one of 40 metrics, 7 boots: caught %d of %d\n", changed[k], caught, total);
		assert_true(caught >= total * 0.99);
	}
}

/* What is said to be detectable among so many metrics is found in about 4 of 5 repetitions. */
static void detectable_holds_for_the_family(void **state)
{
	static const struct {
		int boots;
		size_t metrics;
	} cases[] = {{10, 1}, {7, 40}, {10, 22}};
	int total = getenv("EXITLAB_SOAK") ? 1000 : 40;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(cases); k++) {
		const struct crowd same = {cases[k].boots, cases[k].metrics, "throughput_bps", 1, 0, 0};
		int found = 0;
		struct rng r;

		rng_seed(&r, 70 + k);
		for (int i = 0; i < total; i++) {
			struct crowd c = same;

			c.factor = crowd_row(&same, &r).detectable;
			found += crowd_verdict(&c, &r) == VERDICT_BETTER;
		}
		print_message("%d boots, %zu metrics: %d of %d\n", cases[k].boots, cases[k].metrics, found,
			      total);
		assert_in_range(found, total * 0.68, total * 0.92);
	}
}

/* Who asks for one metric beforehand tests one. */
static void metrics_that_were_asked_for_are_the_family(void **state)
{
	const struct crowd c = {6, 40, "packets_per_s", 0.1, 0, 0};
	const struct compare_opts opts = {1, headline, (const char *const[]){"packets_per_s", NULL}};
	struct compare_row *rows;
	json_t *a, *b;
	struct rng r;

	(void)state;
	rng_seed(&r, 9);
	a = crowd_record(&c, 1, &r);
	b = crowd_record(&c, 0.1, &r);
	assert_int_equal(compare_records(a, b, &opts, &rows), 1);
	assert_int_equal(rows[0].verdict, VERDICT_WORSE);
	assert_true(rows[0].test.cut == COMPARE_ALPHA);
	free(rows);
	json_decref(a);
	json_decref(b);
}

static void differences_are_named(void **state)
{
	json_t *a = noisy("throughput_bps", 1e9, 3, 1), *b = json_deep_copy(a);
	struct compare_difference *d;
	size_t n = compare_differences(a, b, &d);

	(void)state;
	assert_int_equal(n, 0);
	compare_differences_free(d, n);
	json_object_set_new(b, "mode", json_string("vhost"));
	json_object_set_new(b, "environment",
			    json_pack("{s:s,s:{s:s}}", "kernel", "6.1.0 #1 SMP", "lab", "qemu", "10.0"));
	json_object_set_new(b, "knobs", json_pack("{s:s}", "ring", "packed"));
	json_object_set_new(json_object_get(b, "params"), "reps", json_integer(20));
	n = compare_differences(a, b, &d);
	assert_int_equal(n, 4);
	assert_string_equal(d[0].what, "host kernel");
	assert_true(d[0].blocking && !d[1].blocking);
	assert_string_equal(d[0].base, "-");
	assert_string_equal(d[0].changed, "6.1.0");
	assert_string_equal(d[1].what, "mode");
	assert_string_equal(d[2].what, "ring");
	assert_string_equal(d[3].what, "environment.lab.qemu");
	compare_differences_free(d, n);
	json_decref(a);
	json_decref(b);
}

static void every_blocking_difference_blocks(void **state)
{
	static const char *const keys[][2] = {{"workload", "workload"},
					      {"substrate", "substrate"},
					      {"time_base", "time base"},
					      {"guest", "guest"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		json_t *a = noisy("throughput_bps", 1e9, 3, 1), *b = json_deep_copy(a);
		struct compare_difference *d;
		size_t n;

		json_object_set_new(b, keys[i][0], json_string("other"));
		n = compare_differences(a, b, &d);
		assert_int_equal(n, 1);
		assert_true(d[0].blocking);
		assert_string_equal(d[0].what, keys[i][1]);
		compare_differences_free(d, n);
		json_decref(a);
		json_decref(b);
	}
}

/* The next build of Exitlab runs the same guest kernel: that is what a gate compares. */
static void another_build_does_not_block(void **state)
{
	json_t *a = noisy("throughput_bps", 1e9, 3, 1), *b;
	struct compare_difference *d;
	size_t n;

	(void)state;
	json_object_set_new(a, "inputs",
			    json_pack("[{s:s,s:s,s:s},{s:s,s:s,s:s}]", "name", "builtin", "version",
				      "v1", "sha256", "aa", "name", "kernel", "version", "v1",
				      "sha256", "cc"));
	b = json_deep_copy(a);
	for (size_t i = 0; i < 2; i++)
		json_object_set_new(json_array_get(json_object_get(b, "inputs"), i), "version",
				    json_string("v2"));
	n = compare_differences(a, b, &d);
	assert_int_equal(n, 1);
	assert_string_equal(d[0].what, "builtin (input)");
	assert_false(d[0].blocking);
	compare_differences_free(d, n);
	json_object_set_new(json_array_get(json_object_get(b, "inputs"), 1), "sha256",
			    json_string("dd"));
	n = compare_differences(a, b, &d);
	assert_int_equal(n, 2);
	assert_true(d[0].blocking);
	compare_differences_free(d, n);
	json_decref(a);
	json_decref(b);
}

static void a_hundred_by_a_hundred_takes_under_a_second(void **state)
{
	json_t *a = noisy("throughput_bps", 1e9, 100, 1), *b = noisy("throughput_bps", 1e9, 100, 2);
	struct compare_row *rows;
	uint64_t t = cpu_ns();

	(void)state;
	assert_int_equal(compare_records(a, b, &(struct compare_opts){.seed = 1}, &rows), 1);
	t = cpu_ns() - t;
	print_message("%.0f ms\n", (double)t / 1e6);
	assert_true(t < NSEC_PER_SEC);
	free(rows);
	json_decref(a);
	json_decref(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts),
		cmocka_unit_test(virtual_time_is_exact),
		cmocka_unit_test(windows_of_a_boot_count_once),
		cmocka_unit_test(false_discoveries_are_kept_down),
		cmocka_unit_test(one_changed_metric_among_many),
		cmocka_unit_test(half_of_one_of_forty_is_caught_with_seven_boots),
		cmocka_unit_test(detectable_holds_for_the_family),
		cmocka_unit_test(metrics_that_were_asked_for_are_the_family),
		cmocka_unit_test(differences_are_named),
		cmocka_unit_test(every_blocking_difference_blocks),
		cmocka_unit_test(another_build_does_not_block),
		cmocka_unit_test(a_hundred_by_a_hundred_takes_under_a_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
