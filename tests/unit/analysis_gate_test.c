// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <unistd.h>

#include "analysis/gate.h"
#include "base/file.h"
#include "base/log.h"
#include "base/rng.h"
#include "results/record.h"
#include "tests/unit/fake_record.h"

#define BOOTS	10
#define CONFIRM (BOOTS * GATE_CONFIRM_FACTOR)

/* Hands out prepared records and counts how many were asked for. */
struct supply {
	json_t *rec[2];
	int taken;
};

static json_t *take(void *ctx, const char *what)
{
	struct supply *s = ctx;

	assert_string_equal(what, s->taken ? "confirmation" : "screening");
	assert_true(s->taken < 2);
	return s->rec[s->taken++];
}

/* Realistic noise: 3 %, and one boot in fifty is disturbed by 20 %. */
static double noisy(struct rng *r, double level, bool outliers)
{
	double x = level * (1 + 0.03 * rng_normal(r));

	return outliers && !rng_below(r, 50) ? x * 0.8 : x;
}

static json_t *sample_of(struct rng *r, const char *metric, double level, bool outliers, int boots)
{
	double x[BOOTS * GATE_CONFIRM_FACTOR];

	for (int i = 0; i < boots; i++)
		x[i] = noisy(r, level, outliers);
	return fake_record("virtio", metric, x, boots);
}

static void add_metric(json_t *rec, const char *metric, struct rng *r, double level, bool outliers)
{
	json_t *s;
	size_t i;

	json_array_foreach (json_object_get(rec, "samples"), i, s)
		json_object_set_new(json_object_get(s, "metrics"), metric,
				    json_real(noisy(r, level, outliers)));
	json_object_set(json_object_get(rec, "summary"), metric,
			json_object_iter_value(json_object_iter(json_object_get(rec, "summary"))));
}

static void judge(struct gate *g, const json_t *base, struct supply *s, const struct gate_opts *opts)
{
	json_t *screen, *confirm;

	assert_int_equal(gate_run(g, base, &(struct gate_source){take, s}, opts, &screen, &confirm), 0);
	assert_ptr_equal(confirm, s->taken > 1 ? s->rec[1] : NULL);
}

/* Runs a gate over records that it then releases; true when it trips. */
static bool trips_with(json_t *base, json_t *screen, json_t *confirm, struct gate *g,
		       const struct spreads *spreads)
{
	struct supply s = {{screen, confirm}, 0};

	judge(g, base, &s, &(struct gate_opts){.spreads = spreads});
	json_decref(base);
	json_decref(screen);
	json_decref(confirm);
	return g->tripped;
}

static bool trips(json_t *base, json_t *screen, json_t *confirm, struct gate *g)
{
	return trips_with(base, screen, confirm, g, NULL);
}

static int experiments(int quick)
{
	return getenv("EXITLAB_SOAK") ? 1000 : quick;
}

static const char *const six_metrics[] = {"throughput_bps", "packets_per_s", "cpu_ns_per_packet",
					  "latency_ns",	    "exits_per_s",   "cpu_host_pct"};

/* Six independent metrics, nothing changed: 0.85 % of 8,000. */
static void same_against_same_does_not_trip(void **state)
{
	int total = experiments(100), tripped = 0;
	struct rng r;

	(void)state;
	rng_seed(&r, 4);
	for (int i = 0; i < total; i++) {
		json_t *rec[3];
		struct gate g;

		for (int k = 0; k < 3; k++) {
			rec[k] =
				sample_of(&r, "throughput_bps", 1e9, true, k < 2 ? BOOTS : CONFIRM);
			for (size_t m = 1; m < ARRAY_SIZE(six_metrics); m++)
				add_metric(rec[k], six_metrics[m], &r, 1e4, true);
		}
		tripped += trips(rec[0], rec[1], rec[2], &g);
		assert_int_equal(g.n, 6);
		gate_free(&g);
	}
	print_message("%d of %d A/A gates tripped\n", tripped, total);
	assert_true(tripped <= MAX(total / 100, 3)); /* 3 of 100 are no surprise */
}

static void one_metric_same_does_not_trip(void **state)
{
	int total = experiments(200), tripped = 0;
	struct rng r;

	(void)state;
	rng_seed(&r, 2);
	for (int i = 0; i < total; i++) {
		struct gate g;

		tripped += trips(sample_of(&r, "throughput_bps", 1e9, true, BOOTS),
				 sample_of(&r, "throughput_bps", 1e9, true, BOOTS),
				 sample_of(&r, "throughput_bps", 1e9, true, CONFIRM), &g);
		gate_free(&g);
	}
	print_message("%d of %d A/A gates tripped\n", tripped, total);
	assert_true(tripped <= total / 100);
}

/* ---- runs that differ by more than their boots ---- */

#define AA_PAIRS 20

/* What a store with AA_PAIRS pairs of runs of 10 boots knows, the runs with a deviation of their own. */
static struct spread learned(struct rng *r, double between)
{
	struct spread_run run[2 * AA_PAIRS];

	for (size_t i = 0; i < ARRAY_SIZE(run); i++) {
		double x[BOOTS], level = exp(between * rng_normal(r));
		struct interval ci;

		for (int k = 0; k < BOOTS; k++)
			x[k] = noisy(r, level, true);
		ci = stats_median_ci(x, BOOTS);
		run[i] = (struct spread_run){log(ci.point), (log(ci.high) - log(ci.low)) / 3.92, i / 2};
	}
	return spread_of_runs(run, ARRAY_SIZE(run));
}

struct kind {
	size_t metrics;
	double between, factor; /* what has become of the throughput */
	bool outliers;
};

static json_t *run_of(const struct kind *k, struct rng *r, double factor, int boots)
{
	double level = 1e9 * factor * exp(k->between * rng_normal(r));
	json_t *rec = sample_of(r, "throughput_bps", level, k->outliers, boots);

	for (size_t m = 1; m < k->metrics; m++)
		add_metric(rec, six_metrics[m], r, 1e4 * exp(k->between * rng_normal(r)), k->outliers);
	return rec;
}

static bool gate_of(const struct kind *k, struct rng *r, const struct spreads *spreads, struct gate *g)
{
	json_t *base = run_of(k, r, 1, BOOTS), *screen = run_of(k, r, k->factor, BOOTS),
	       *confirm = run_of(k, r, k->factor, CONFIRM);

	return trips_with(base, screen, confirm, g, spreads);
}

/* How many gates trip, each with a store of its own. */
static int tripped_of(const struct kind *k, int total, uint64_t seed)
{
	int tripped = 0;
	struct rng r;

	rng_seed(&r, seed);
	for (int i = 0; i < total; i++) {
		struct spreads spreads = {xcalloc(k->metrics, sizeof(*spreads.v)), k->metrics};
		struct gate g;

		for (size_t m = 0; m < k->metrics; m++) {
			spreads.v[m].metric = xstrdup(six_metrics[m]);
			spreads.v[m].spread = learned(&r, k->between);
		}
		tripped += gate_of(k, &r, &spreads, &g);
		gate_free(&g);
		spreads_free(&spreads);
	}
	print_message("%zu metrics, %.0f %% between runs, throughput x %.2f: %d of %d gates tripped\n", k->metrics,
		      100 * k->between, k->factor, tripped, total);
	return tripped;
}

/* One gate says what it detects; that is what happens to the next. */
static bool catches_detectable(struct rng *r, size_t metrics, const struct spread *spread)
{
	struct spreads spreads = {xcalloc(metrics, sizeof(*spreads.v)), metrics};
	double factor = 1;
	bool tripped = false;

	for (size_t m = 0; m < metrics; m++) {
		spreads.v[m].metric = xstrdup(six_metrics[m]);
		spreads.v[m].spread = *spread;
	}
	for (int gates = 0; gates < 2; gates++) {
		const struct kind kind = {metrics, spread->sd, factor, false};
		struct gate g;

		tripped = gate_of(&kind, r, &spreads, &g);
		if (!gates)
			gate_tell_detectable(&g);
		factor = 1 / g.row[0].detectable; /* the throughput's */
		gate_free(&g);
	}
	spreads_free(&spreads);
	return tripped;
}

static void runs_that_differ_do_not_trip_once_the_store_knows_how(void **state)
{
	static const struct kind same[] = {
		{1, 0.02, 1, true}, {6, 0.02, 1, true}, {1, 0.03, 1, true}, {6, 0, 1, true}};
	static const struct kind slower = {1, 0.02, 0.8, true};
	int total = experiments(100);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		double most = same[i].between > 0 ? 0.05 : 0.01;

		assert_true(tripped_of(&same[i], total, 50 + i) <= fmax(3, total * most));
	}
	assert_true(tripped_of(&slower, total, 60) >= total * 9 / 10);
}

/* What a gate says that it detects, 4 of 5 others find. */
static void detectable_is_caught(void **state)
{
	static const struct {
		size_t metrics;
		double between;
	} cases[] = {{1, 0}, {6, 0.02}};
	int total = experiments(20);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct spread spread = {cases[i].between, AA_PAIRS};
		int caught = 0;
		struct rng r;

		rng_seed(&r, 80 + i);
		for (int k = 0; k < total; k++)
			caught += catches_detectable(&r, cases[i].metrics, &spread);
		print_message("%zu metrics, %.0f %% between runs: the detectable is caught in %d of %d\n",
			      cases[i].metrics, 100 * cases[i].between, caught, total);
		assert_in_range(caught, total * 6 / 10, total * 95 / 100);
	}
}

static void five_percent_slower_is_caught(void **state)
{
	int total = experiments(200), tripped = 0;
	struct rng r;

	(void)state;
	rng_seed(&r, 3);
	for (int i = 0; i < total; i++) {
		struct gate g;

		tripped += trips(sample_of(&r, "throughput_bps", 1e9, false, BOOTS),
				 sample_of(&r, "throughput_bps", 0.95e9, false, BOOTS),
				 sample_of(&r, "throughput_bps", 0.95e9, false, CONFIRM), &g);
		gate_free(&g);
	}
	print_message("%d of %d slowdowns caught\n", tripped, total);
	assert_true(tripped >= total * 9 / 10);
}

static json_t *constant(const char *metric, double a, double b, int n)
{
	double x[BOOTS];

	for (int i = 0; i < n; i++)
		x[i] = i % 2 ? b : a;
	return fake_record("virtio", metric, x, n);
}

static void results(void **state)
{
	static const struct {
		const char *metric;
		double base[2], screen[2], confirm[2];
		int n;
		enum gate_result want;
		bool confirmed;
	} cases[] = {
		{"throughput_bps", {100, 101}, {80, 81}, {80, 81}, 10, GATE_TRIPPED, true},
		{"throughput_bps", {100, 101}, {80, 81}, {100, 101}, 10, GATE_NOT_CONFIRMED, true},
		{"throughput_bps", {100, 101}, {120, 121}, {0, 0}, 10, GATE_BETTER, false},
		{"throughput_bps", {100, 101}, {100, 101}, {0, 0}, 10, GATE_PASS, false},
		{"latency_ns", {100, 101}, {120, 121}, {120, 121}, 10, GATE_TRIPPED, true},
		{"latency_ns", {100, 101}, {80, 81}, {0, 0}, 10, GATE_BETTER, false},
		{"throughput_bps", {100, 101}, {50, 51}, {0, 0}, 5, GATE_NOT_JUDGED, false},
		/* Clear, but under the relative floor of 1 %. */
		{"throughput_bps", {1000, 1000}, {995, 995}, {0, 0}, 10, GATE_PASS, false},
		{"kicks_per_packet", {0, 0}, {0.5, 0.5}, {0.5, 0.5}, 10, GATE_TRIPPED, true},
		{"kicks_per_packet", {0, 0}, {0, 0}, {0, 0}, 10, GATE_PASS, false},
		/* Fractions of which one is zero: 1 added to them would make +0.5 % of these. */
		{"kicks_per_packet", {0, 0.003}, {0.0075, 0.008}, {0.0075, 0.008}, 10, GATE_TRIPPED, true},
		{"kicks_per_packet", {0.003, 0.003}, {0, 0.003}, {0, 0}, 10, GATE_PASS, false},
		/* Net of a loop that took longer by chance. */
		{"exit_cost_ns", {-1, 1}, {10, 11}, {10, 11}, 10, GATE_TRIPPED, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *base =
			constant(cases[i].metric, cases[i].base[0], cases[i].base[1], cases[i].n);
		json_t *screen = constant(cases[i].metric, cases[i].screen[0], cases[i].screen[1],
					  cases[i].n);
		json_t *confirm = constant(cases[i].metric, cases[i].confirm[0],
					   cases[i].confirm[1], cases[i].n);
		struct supply s = {{screen, confirm}, 0};
		struct gate g;

		judge(&g, base, &s, &(struct gate_opts){0});
		assert_int_equal(g.n, 1);
		if (g.row[0].result != cases[i].want)
			fail_msg("case %zu: %s", i, gate_result_text(g.row[0].result));
		assert_int_equal(g.tripped, cases[i].want == GATE_TRIPPED);
		assert_int_equal(g.undecided, cases[i].want == GATE_NOT_JUDGED);
		assert_int_equal(s.taken, 1 + cases[i].confirmed);
		gate_free(&g);
		json_decref(base);
		json_decref(screen);
		json_decref(confirm);
	}
}

/* A metric that only some boots of the baseline have does not hold up the others; one that the new
 * sample has lost does, and so does one that was asked for by name. */
static void metrics_with_too_few_values(void **state)
{
	static const struct {
		int base, screen;
		const char *asked;
		enum gate_result want;
		bool undecided;
	} cases[] = {
		{10, 10, NULL, GATE_PASS, false},	   {5, 10, NULL, GATE_NOT_JUDGED, false},
		{5, 5, NULL, GATE_NOT_JUDGED, false},	   {10, 5, NULL, GATE_TOO_FEW, true},
		{5, 10, "latency_ns", GATE_TOO_FEW, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *const asked[] = {cases[i].asked, NULL};
		json_t *rec[2];
		struct supply s;
		struct gate g;

		for (int k = 0; k < 2; k++) {
			struct rng r;

			rec[k] = constant("throughput_bps", 100, 101, 10);
			rng_seed(&r, 1);
			add_metric(rec[k], "latency_ns", &r, 100, false);
			for (int boot = k ? cases[i].screen : cases[i].base; boot < 10; boot++)
				json_object_del(
					json_object_get(
						json_array_get(json_object_get(rec[k], "samples"),
							       (size_t)boot),
						"metrics"),
					"latency_ns");
		}
		s = (struct supply){{rec[1], NULL}, 0};
		judge(&g, rec[0], &s, &(struct gate_opts){.metrics = cases[i].asked ? asked : NULL});
		for (size_t k = 0; k < g.n; k++)
			if (!strcmp(g.row[k].metric, "latency_ns") &&
			    g.row[k].result != cases[i].want)
				fail_msg("case %zu: %s", i, gate_result_text(g.row[k].result));
		assert_int_equal(g.undecided, cases[i].undecided);
		gate_free(&g);
		json_decref(rec[0]);
		json_decref(rec[1]);
	}
}

/* With six boots nothing passes among forty; the same change among few goes to the confirmation. */
static void too_few_boots_for_so_many_metrics(void **state)
{
	static const struct {
		size_t others;
		enum gate_result want;
	} cases[] = {{40, GATE_TOO_MANY}, {5, GATE_TRIPPED}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *rec[3];
		struct supply s;
		struct rng r;
		struct gate g;

		rng_seed(&r, 6);
		for (int k = 0; k < 3; k++) {
			const struct metric_info *m = metric_table;

			rec[k] = constant("latency_ns", k ? 200 : 100, k ? 202 : 101, 6);
			for (size_t n = 0; n < cases[i].others && m->name; m++)
				if (m->better && strcmp(m->name, "latency_ns") != 0 && ++n)
					add_metric(rec[k], m->name, &r, 100, false);
		}
		s = (struct supply){{rec[1], rec[2]}, 0};
		judge(&g, rec[0], &s, &(struct gate_opts){0});
		for (size_t k = 0; k < g.n; k++)
			if (!strcmp(g.row[k].metric, "latency_ns") && g.row[k].result != cases[i].want)
				fail_msg("case %zu: %s", i, gate_result_text(g.row[k].result));
		assert_int_equal(g.undecided, cases[i].want == GATE_TOO_MANY);
		gate_free(&g);
		for (int k = 0; k < 3; k++)
			json_decref(rec[k]);
	}
}

/* One needless exit per packet in virtual time: named, without a second sample. */
static void exact_counts(void **state)
{
	static const struct {
		const char *metric;
		double base, screen[2];
		enum gate_result want;
		double floor; /* as a file asks for; 0: none */
	} cases[] = {
		{"exits", 23884, {23884, 23884}, GATE_PASS, 0},
		{"exits", 23884, {23885, 23885}, GATE_TRIPPED, 0},
		{"exits", 23884, {23884, 23885}, GATE_TRIPPED, 0},
		{"exits", 23884, {23883, 23883}, GATE_BETTER, 0},
		{"packets", 1000, {1001, 1001}, GATE_TRIPPED, 0},
		{"packets", 1000, {1000, 1000}, GATE_PASS, 0},
		{"packets", 1000, {1009, 1009}, GATE_PASS, 0.01},
		{"packets", 1000, {1011, 1011}, GATE_TRIPPED, 0.01},
		{"exits", 1000, {1009, 1009}, GATE_PASS, 0.01},
		{"exits", 0, {1, 1}, GATE_TRIPPED, 0.01},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *base = constant(cases[i].metric, cases[i].base, cases[i].base, 2);
		json_t *screen =
			constant(cases[i].metric, cases[i].screen[0], cases[i].screen[1], 2);
		struct supply s = {{screen, NULL}, 0};
		struct gate_floor any = {"*", cases[i].floor, 0};
		struct gate_floors floors = {&any, 1};
		struct gate g;

		json_object_set_new(base, "time_base", json_string("virtual"));
		json_object_set_new(screen, "time_base", json_string("virtual"));
		judge(&g, base, &s, &(struct gate_opts){.floors = cases[i].floor > 0 ? &floors : NULL});
		assert_true(g.exact);
		if (g.row[0].result != cases[i].want)
			fail_msg("case %zu: %s", i, gate_result_text(g.row[0].result));
		gate_free(&g);
		json_decref(base);
		json_decref(screen);
	}
}

static void changed_exits_are_named(void **state)
{
	json_t *base =
		json_pack("{s:[{s:s,s:s,s:s,s:i},{s:s,s:s,s:i}]}", "exits", "reason", "io", "key",
			  "0x3f8", "device", "COM1", "count", 8445, "reason", "npf", "key", "", "count", 5);
	json_t *screen =
		json_pack("{s:[{s:s,s:s,s:i},{s:s,s:s,s:i}]}", "exits", "reason", "io", "key",
			  "0x3f8", "count", 8446, "reason", "msr", "key", "", "count", 7);
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	(void)state;
	gate_print_exits(base, screen, f);
	fclose(f);
	assert_string_equal(text, "exit io COM1: 8445 -> 8446 per boot\n"
				  "exit npf: 5 -> 0 per boot\n"
				  "exit msr: 0 -> 7 per boot\n");
	free(text);
	json_decref(base);
	json_decref(screen);
}

static json_t *take_nothing(void *ctx, const char *what)
{
	(void)ctx;
	(void)what;
	return NULL;
}

static void a_gate_without_a_sample_does_not_pass(void **state)
{
	json_t *base = constant("throughput_bps", 1, 1, 10), *a, *b;
	struct gate g;

	(void)state;
	assert_int_equal(gate_run(&g, base, &(struct gate_source){take_nothing, NULL},
				  &(struct gate_opts){0}, &a, &b),
			 -EIO);
	gate_free(&g);
	json_decref(base);
}

static void floors(void **state)
{
	static const struct {
		const char *text;
		int err;
		size_t n;
	} cases[] = {
		{"throughput_bps 2% 1e6\n* 5%\n", 0, 2}, {"# all\n\nlatency_ns 3 % # why\n", 0, 1},
		{"latency_ns 3\n", -EINVAL, 0},		 {"latency_ns 3% 5 6\n", -EINVAL, 0},
		{"latency_ns -3%\n", -EINVAL, 0},	 {"", 0, 0},
	};
	char *dir = fake_dir(), *path = xasprintf("%s/floors", dir);
	struct gate_floors f;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(file_write_atomic(path, cases[i].text, strlen(cases[i].text)), 0);
		assert_int_equal(gate_floors_read(&f, path), cases[i].err);
		assert_int_equal(f.n, cases[i].n);
		if (!i) {
			assert_true(f.v[0].relative == 0.02 && f.v[0].absolute == 1e6);
			assert_true(f.v[1].relative == 0.05);
		}
		gate_floors_free(&f);
	}
	assert_int_equal(gate_floors_read(&f, "/nonexistent/floors"), -ENOENT);
	dir_remove_all(dir);
	free(path);
	free(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_against_same_does_not_trip),
		cmocka_unit_test(one_metric_same_does_not_trip),
		cmocka_unit_test(runs_that_differ_do_not_trip_once_the_store_knows_how),
		cmocka_unit_test(detectable_is_caught),
		cmocka_unit_test(five_percent_slower_is_caught),
		cmocka_unit_test(results),
		cmocka_unit_test(metrics_with_too_few_values),
		cmocka_unit_test(too_few_boots_for_so_many_metrics),
		cmocka_unit_test(exact_counts),
		cmocka_unit_test(changed_exits_are_named),
		cmocka_unit_test(a_gate_without_a_sample_does_not_pass),
		cmocka_unit_test(floors),
	};

	log_init("test", LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
