// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "analysis/ab.h"
#include "analysis/ab_report.h"
#include "analysis/pairs.h"
#include "base/rng.h"
#include "results/record.h"

/* ---- signed ranks ---- */

static void assert_near(double v, double want, double within)
{
	if (!(fabs(v - want) <= within))
		fail_msg("%.17g, not %.17g", v, want);
}

/* All 2^n signs, by their definition. */
static double enumerated_p(const double *d, int n)
{
	double rank[16], total = 0, seen = 0, hits = 0;

	for (int i = 0; i < n; i++) {
		double below = 0, equal = 0;

		for (int k = 0; k < n; k++) {
			below += fabs(d[k]) < fabs(d[i]);
			equal += fabs(d[k]) == fabs(d[i]);
		}
		rank[i] = below + (equal + 1) / 2;
		total += rank[i];
		seen += d[i] > 0 ? rank[i] : 0;
	}
	for (int signs = 0; signs < 1 << n; signs++) {
		double w = 0;

		for (int i = 0; i < n; i++)
			w += signs >> i & 1 ? rank[i] : 0;
		hits += fabs(w - total / 2) >= fabs(seen - total / 2) - 1e-9;
	}
	return hits / (1 << n);
}

static void p_is_that_of_all_signs(void **state)
{
	struct rng r;

	(void)state;
	rng_seed(&r, 1);
	for (int k = 0; k < 300; k++) {
		int n = 1 + (int)rng_below(&r, 12), ties = k % 2;
		double d[16];

		for (int i = 0; i < n; i++) {
			d[i] = rng_normal(&r) + 0.5;
			if (ties) /* of whole numbers, none of them 0 */
				d[i] = copysign(1 + floor(fabs(2 * d[i])), d[i]);
		}
		assert_near(pairs_signed_rank_p(d, (size_t)n), enumerated_p(d, n), 1e-12);
	}
}

static void known_values(void **state)
{
	const double up[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, zeros[] = {0, 0, 0},
		     mixed[] = {0, 3, 0, 1, 2, 0};

	(void)state;
	assert_near(pairs_signed_rank_p(up, 10), 2.0 / 1024, 1e-15);
	assert_near(pairs_least_p(up, 10), 2.0 / 1024, 1e-15);
	/* What is equal tells nothing: three that go one way. */
	assert_near(pairs_signed_rank_p(mixed, 6), 0.25, 1e-15);
	assert_near(pairs_least_p(mixed, 6), 0.25, 1e-15);
	assert_near(pairs_signed_rank_p(zeros, 3), 1, 0);
	assert_near(pairs_least_p(zeros, 3), 1, 0);
	/* Of tables: n = 10, two-sided 5 %: 8 is rejected; n = 6: only 0. */
	assert_int_equal(pairs_rank_cut(10, 0.025), 9);
	assert_int_equal(pairs_rank_cut(6, 0.025), 1);
	assert_int_equal(pairs_rank_cut(5, 0.025), 0);
	assert_in_range(pairs_rank_cut(101, 0.025), 1990, 2010);
}

/* Without ties the interval leaves out 1 if and only if the test rejects. */
static void interval_inverts_the_test(void **state)
{
	struct rng r;

	(void)state;
	rng_seed(&r, 2);
	for (int k = 0; k < 200; k++) {
		double a[14], b[14], d[14];
		struct interval ci;

		for (int i = 0; i < 14; i++) {
			a[i] = exp(0.1 * rng_normal(&r));
			b[i] = exp(0.1 * rng_normal(&r) + 0.05 * (k % 5));
			d[i] = log(b[i] / a[i]);
		}
		ci = pairs_ratio_ci(a, b, 14, 0.99);
		assert_true(ci.low < ci.point && ci.point < ci.high);
		assert_int_equal(ci.low > 1 || ci.high < 1, pairs_signed_rank_p(d, 14) <= 0.01);
	}
}

/* ---- looks ---- */

static void looks_are_fixed(void **state)
{
	static const struct {
		size_t limit, look[6];
	} cases[] = {
		{40, {10, 14, 20, 28, 40}}, {3, {3}}, {10, {10}}, {15, {10, 14, 15}}, {20, {10, 14, 20}}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t at = 0, n = 0;

		while ((at = ab_next_look(at, cases[i].limit)))
			assert_int_equal(at, cases[i].look[n++]);
		assert_int_equal(ab_count_looks(cases[i].limit), n);
	}
	assert_int_equal(ab_next_look(0, AB_LIMIT_MAX), 10);
}

/* ---- verdicts ---- */

#define HEADLINE "throughput_bps exits_per_packet"

static json_t *samples_of(void)
{
	return json_pack("{s:[]}", "samples");
}

static json_t *add_boot(json_t *rec, int boot, bool ok)
{
	json_t *sample = json_pack("{s:i,s:b,s:{}}", "boot", boot, "ok", ok, "metrics");

	json_array_append_new(json_object_get(rec, "samples"), sample);
	return json_object_get(sample, "metrics");
}

struct verdict_case {
	const char *what;
	int pairs;
	double factor;	       /* of B's throughput */
	double exits[2];       /* per packet, constant; B's < 0: it has none */
	int lost;	       /* boots of B that failed */
	double margin;
	enum ab_verdict verdict;
	bool decided;
};

struct judged {
	json_t *a, *b;
	struct ab ab;
};

static void judge_case(const struct verdict_case *c, struct judged *j, const char *const *metrics)
{
	json_t *a = j->a = samples_of(), *b = j->b = samples_of();
	struct ab_opts opts = {.headline = HEADLINE, .margin = c->margin, .limit = 40, .metrics = metrics};
	struct rng r;

	rng_seed(&r, 7);
	for (int i = 0; i < c->pairs; i++) {
		json_t *ma = add_boot(a, i, true), *mb = add_boot(b, i, i >= c->lost);

		json_object_set_new(ma, "throughput_bps", json_real(1e9 * (1 + 0.02 * rng_normal(&r))));
		json_object_set_new(mb, "throughput_bps",
				    json_real(c->factor * 1e9 * (1 + 0.02 * rng_normal(&r))));
		json_object_set_new(ma, "exits_per_packet", json_real(c->exits[0]));
		if (c->exits[1] >= 0)
			json_object_set_new(mb, "exits_per_packet", json_real(c->exits[1]));
	}
	ab_judge(&j->ab, a, b, (size_t)c->pairs, &opts);
}

static void judged_free(struct judged *j)
{
	ab_free(&j->ab);
	json_decref(j->a);
	json_decref(j->b);
}

static void verdicts(void **state)
{
	static const struct verdict_case cases[] = {
		{"equal, first look", 10, 1, {2, 2}, 0, 0, AB_SAYS_NO_EVIDENCE, false},
		{"equal, at the limit", 40, 1, {2, 2}, 0, 0, AB_SAYS_NO_EVIDENCE, false},
		{"a fifth slower", 14, 0.8, {2, 2}, 0, 0, AB_SAYS_WORSE, true},
		{"a fifth faster", 14, 1.2, {2, 2}, 0, 0, AB_SAYS_BETTER, true},
		{"one exit more", 14, 1, {2, 3}, 0, 0, AB_SAYS_WORSE, true},
		{"exits where there were none", 14, 1, {0, 0.01}, 0, 0, AB_SAYS_WORSE, true},
		{"faster, and one exit more", 14, 1.2, {2, 3}, 0, 0, AB_SAYS_WORSE, true},
		{"half a per cent is below the floor", 40, 1, {2, 2.01}, 0, 0, AB_SAYS_NO_EVIDENCE, false},
		{"too few pairs", 4, 0.5, {2, 4}, 0, 0, AB_SAYS_UNDECIDED, false},
		{"most boots of B failed", 20, 1, {2, 2}, 11, 0, AB_SAYS_UNDECIDED, false},
		{"some boots of B failed", 20, 1, {2, 2}, 5, 0, AB_SAYS_NO_EVIDENCE, false},
		{"a metric that B lost", 20, 1, {2, -1}, 0, 0, AB_SAYS_UNDECIDED, false},
		{"a margin that is excluded", 28, 1, {2, 2}, 0, 0.1, AB_SAYS_NO_EVIDENCE, true},
		{"a margin that is not", 14, 1, {2, 2}, 0, 0.001, AB_SAYS_UNDECIDED, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct verdict_case *c = &cases[i];
		struct judged j;

		judge_case(c, &j, NULL);
		if (j.ab.verdict != c->verdict || j.ab.decided != c->decided)
			fail_msg("%s: %s, %s", c->what, ab_verdict_text(j.ab.verdict),
				 j.ab.decided ? "decided" : "open");
		assert_int_equal(j.ab.pairs + j.ab.failed, c->pairs);
		judged_free(&j);
	}
}

/* Ten pairs are enough for one metric, and not for two. */
static void a_named_metric_is_the_family(void **state)
{
	static const struct verdict_case c = {"", 10, 0.8, {2, 2}, 0, 0, 0, false};
	const char *const throughput[] = {"throughput_bps", NULL}, *const unknown[] = {"no_such", NULL};
	struct judged j;

	(void)state;
	judge_case(&c, &j, throughput);
	assert_int_equal(j.ab.n, 1);
	assert_int_equal(j.ab.verdict, AB_SAYS_WORSE);
	judged_free(&j);
	judge_case(&c, &j, unknown);
	assert_int_equal(j.ab.n, 0);
	assert_int_equal(j.ab.verdict, AB_SAYS_UNDECIDED);
	judged_free(&j);
}

static void what_it_says(void **state)
{
	static const struct verdict_case c = {"", 14, 0.8, {2, 2}, 0, 0, 0, false};
	struct ab_names names = {{"builtin:a", "builtin:b"}, {"1", "2"}, (char *)"series"};
	struct judged judged;
	char *line;
	json_t *j;

	(void)state;
	judge_case(&c, &judged, NULL);
	line = ab_line(&judged.ab);
	assert_string_equal(line, "worse: throughput_bps");
	j = ab_json(&judged.ab, &names, &(struct ab_opts){.limit = 40});
	assert_string_equal(record_str(j, "verdict"), "worse");
	assert_string_equal(record_str(json_object_get(j, "b"), "side"), "builtin:b");
	assert_int_equal(json_integer_value(json_object_get(j, "looks")), 5);
	assert_int_equal(json_array_size(json_object_get(j, "metrics")), 2);
	json_decref(j);
	free(line);
	judged_free(&judged);
}

/* ---- simulated ---- */

static int experiments(int quick)
{
	return getenv("EXITLAB_SOAK") ? 1000 : quick;
}

static const char *const metrics[] = {
	"throughput_bps",	 "exits_per_packet", "latency_ns", "cpu_ns_per_packet",
	"exits_per_s",		 "kicks_per_packet", "cpu_pct",	   "boot_ns",
	"interrupts_per_packet", "packets_per_s",    "exits",	   "userspace_exits"};

/*
 * The machine of these boots: a state that lasts from boot to boot (AR(1) of 0.7, 3 %), a drift of 10 %
 * over the run, metrics that move together, noise of their own, and one boot in thirty disturbed.
 */
struct machine {
	struct rng r;
	double state, drift;
};

static void boot(struct machine *m, json_t *rec, int i, double slower)
{
	json_t *out = add_boot(rec, i, true);
	double disturbed = rng_below(&m->r, 30) ? 0 : 0.3;

	m->state = 0.7 * m->state + 0.03 * sqrt(1 - 0.49) * rng_normal(&m->r);
	m->drift += 0.1 / 80;
	for (size_t k = 0; k < ARRAY_SIZE(metrics); k++) {
		double noise = m->state * (k % 3 ? 1 : -1) + m->drift + 0.02 * rng_normal(&m->r) + disturbed;

		json_object_set_new(out, metrics[k], json_real(100 * exp(noise) * (k ? 1 : slower)));
	}
}

/* Pairs in drawn order, until it is decided. */
static enum ab_verdict simulate(struct machine *m, double slower, size_t *pairs)
{
	json_t *a = samples_of(), *b = samples_of();
	const struct ab_opts opts = {.headline = "throughput_bps exits_per_packet latency_ns cpu_ns_per_packet exits_per_s",
				     .limit = 40};
	enum ab_verdict verdict = AB_SAYS_UNDECIDED;
	size_t rounds = 0, look = 0;
	bool decided = false;

	m->state = m->drift = 0;
	while (!decided && (look = ab_next_look(rounds, opts.limit))) {
		struct ab ab;

		for (; rounds < look; rounds++) {
			bool b_first = rng_below(&m->r, 2);

			boot(m, b_first ? b : a, (int)rounds, b_first ? slower : 1);
			boot(m, b_first ? a : b, (int)rounds, b_first ? 1 : slower);
		}
		ab_judge(&ab, a, b, rounds, &opts);
		decided = ab.decided;
		verdict = ab.verdict;
		ab_free(&ab);
	}
	*pairs = rounds;
	json_decref(a);
	json_decref(b);
	return verdict;
}

static void equal_ones_give_no_evidence(void **state)
{
	int total = experiments(60), other = 0;
	struct machine m;
	size_t pairs;

	(void)state;
	rng_seed(&m.r, 11);
	for (int i = 0; i < total; i++)
		other += simulate(&m, 1, &pairs) != AB_SAYS_NO_EVIDENCE;
	print_message("%d of %d comparisons of equal builds gave a verdict\n", other, total);
	assert_true(other <= MAX(total / 100, 2));
}

static void a_slower_one_is_found(void **state)
{
	static const struct {
		double slower, share;
	} cases[] = {{0.9, 0.95}, {0.8, 0.99}};
	int total = experiments(20);
	struct machine m;

	(void)state;
	rng_seed(&m.r, 12);
	for (size_t k = 0; k < ARRAY_SIZE(cases); k++) {
		size_t pairs, sum = 0;
		int found = 0;

		for (int i = 0; i < total; i++) {
			found += simulate(&m, cases[k].slower, &pairs) == AB_SAYS_WORSE;
			sum += pairs;
		}
		print_message("%g of the throughput: worse in %d of %d, after %.0f pairs on average\n", cases[k].slower, found,
			      total, (double)sum / total);
		assert_true(found >= cases[k].share * total - 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p_is_that_of_all_signs),
		cmocka_unit_test(known_values),
		cmocka_unit_test(interval_inverts_the_test),
		cmocka_unit_test(looks_are_fixed),
		cmocka_unit_test(verdicts),
		cmocka_unit_test(a_named_metric_is_the_family),
		cmocka_unit_test(what_it_says),
		cmocka_unit_test(equal_ones_give_no_evidence),
		cmocka_unit_test(a_slower_one_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
