// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "bench/plan/sides.h"
#include "bench/run/run.h"

static void sides_say_what_differs(void **state)
{
	static const struct {
		const char *text;
		const char *vmms, *program, *kernel, *last_set; /* NULL: left alone */
	} cases[] = {
		{"builtin", "builtin", NULL, NULL, "ring=split"},
		{"qemu:accel=tcg", "qemu:accel=tcg", NULL, NULL, "ring=split"},
		{"qemu:/bin/true", "qemu", "/true", NULL, "ring=split"},
		{"kernel:newer", "qemu", NULL, "newer", "ring=split"},
		{"event_idx=on,queues=2", "qemu", NULL, NULL, "queues=2"},
	};
	const char *set[] = {"ring=split"};
	const struct run_args args = {.vmms = "qemu", .set = {set, 1}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct side s;

		assert_int_equal(side_parse(&s, cases[i].text, &args), 0);
		assert_string_equal(s.args.vmms, cases[i].vmms);
		assert_int_equal(!!s.programs.vmm, !!cases[i].program);
		if (cases[i].program)
			assert_non_null(strstr(s.programs.vmm, cases[i].program));
		assert_string_equal(text_or(s.args.kernel, "-"), text_or(cases[i].kernel, "-"));
		assert_string_equal(s.args.set.item[s.args.set.n - 1], cases[i].last_set);
		side_free(&s);
	}
	assert_int_equal(args.set.n, 1); /* the plan's own is not touched */
}

static unsigned never(void *ctx, const json_t *a, const json_t *b, unsigned rounds)
{
	(void)ctx;
	(void)a;
	(void)b;
	(void)rounds;
	return 0;
}

/* Each round has an order of its own, and both orders come. */
static void rounds_are_drawn(const struct plan *p)
{
	unsigned first[2] = {0, 0};

	for (size_t i = 0; i < p->n_steps; i += 2) {
		assert_int_equal(p->step[i].rep, p->step[i + 1].rep);
		assert_int_not_equal(p->step[i].cell, p->step[i + 1].cell);
		first[p->step[i].cell]++;
	}
	assert_in_range(first[0], 20, 80); /* of 100 */
}

/* A bench in a lab is told the limit, and not the boots, which its parser would refuse. */
static void a_bench_in_a_lab_is_told_the_sides(void **state)
{
	const struct run_args args = {.guest = "micro", .seed = 3};
	struct strlist words = STRLIST_INIT, all = STRLIST_INIT;
	char label[] = "virtio/builtin";
	struct cell cell = {.workload = workload_find("net-throughput"), .label = label};
	const struct plan alone[2] = {{.cell = &cell, .n_cells = 1, .seed = 3},
				      {.cell = &cell, .n_cells = 1}};
	struct plan p;
	struct side side[2];
	struct plan_pairs pairs = {alone, &words, never, NULL};
	char **argv;

	(void)state;
	assert_int_equal(side_parse(&side[0], "event_idx=on", &args), 0);
	assert_int_equal(side_parse(&side[1], "event_idx=off", &args), 0);
	strlist_add(&words, "ab");
	strlist_add(&words, side[0].text);
	strlist_add(&words, side[1].text);
	sides_join(&p, alone, &args);
	p.pairs = &pairs;
	plan_order(&p, 100);
	rounds_are_drawn(&p);
	argv = run_inner_argv(&p, "/out");
	for (char **w = argv; *w; w++)
		strlist_add(&all, *w);
	assert_true(strlist_has(&all, "ab") && strlist_has(&all, "event_idx=off") &&
		    strlist_has(&all, "--limit=100"));
	assert_true(strlist_has(&all, "--") && strlist_has(&all, "net-throughput") &&
		    strlist_has(&all, "--guest=micro"));
	assert_false(strlist_has(&all, "--reps=100") || strlist_has(&all, "run"));
	for (char **w = argv; *w; w++)
		free(*w);
	free(argv);
	strlist_free(&all);
	strlist_free(&words);
	sides_free(&p);
	side_free(&side[0]);
	side_free(&side[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sides_say_what_differs),
		cmocka_unit_test(a_bench_in_a_lab_is_told_the_sides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
