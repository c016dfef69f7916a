// SPDX-License-Identifier: MIT
/* The options of bench run: what a record keeps of them, and what a bench inside a lab is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bench/plan/plan.h"
#include "bench/plan/run_args.h"

#define WORDS 16

static void parse(const char *line, struct run_args *args, char **copy)
{
	const struct command cmd = {.name = "run", .opts = run_opts};
	char *argv[WORDS] = {(char *)"run"}, *save;
	int argc = 1;

	*args = (struct run_args){.modes = NULL};
	*copy = strdup(line);
	for (char *w = strtok_r(*copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	assert_int_equal(opts_parse("bench", &cmd, &argc, argv, args), 0);
	assert_int_equal(argc, 1);
}

static void a_record_keeps_what_was_given(void **state)
{
	static const struct {
		const char *line, *json, *inner;
	} cases[] = {
		{"", "{}", ""},
		{"--mode=virtio,vhost -n 3 -d 2s", "{\"mode\": \"virtio,vhost\", \"reps\": \"3\", \"duration\": \"2000000000ns\"}",
		 "--mode=virtio,vhost --duration=2000000000ns"},
		{"--set ring=packed --set tso=off,on --ipv6 --no-probes",
		 "{\"set\": [\"ring=packed\", \"tso=off,on\"], \"ipv6\": true, \"no-probes\": true}",
		 "--set=ring=packed --set=tso=off,on --ipv6 --no-probes"},
		{"-q", "{\"quick\": true}", "--quick"},
		{"--on=lab --store=x --json --deterministic --timeout=1s --seed=4 --overhead --work=16M",
		 "{\"on\": \"lab\", \"work\": \"16777216\", \"seed\": \"4\", \"overhead\": true, \"timeout\": \"1000000000ns\","
		 " \"store\": \"x\", \"deterministic\": true, \"json\": true}",
		 "--work=16777216"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *want = json_loads(cases[i].json, 0, NULL), *got;
		struct strlist words = STRLIST_INIT;
		struct run_args args, inner;
		char *copy, *joined = strdup("");

		parse(cases[i].line, &args, &copy);
		got = run_options_json(&args);
		assert_true(json_equal(got, want));
		inner = run_args_inner(&args);
		run_args_words(&inner, &words);
		for (size_t w = 0; w < words.n; w++) {
			char *longer = xasprintf("%s%s%s", joined, w ? " " : "", words.v[w]);

			free(joined);
			joined = longer;
		}
		assert_string_equal(joined, cases[i].inner);
		free(joined);
		strlist_free(&words);
		json_decref(got);
		json_decref(want);
		free(args.set.item);
		free(copy);
	}
}

/* One list makes both, row by row. */
static void the_tables_agree(void **state)
{
	size_t i = 0;

	(void)state;
	for (; run_opts[i].name; i++) {
		assert_string_equal(run_opts[i].name, run_options[i].name);
		assert_ptr_equal(run_opt_find(run_opts[i].name), &run_opts[i]);
	}
	assert_null(run_options[i].name);
	assert_null(run_opt_find("guest_kernel"));
}

/* A function of a device brings the device's disk, for all modes of the plan. */
static void medium_of_a_plan(void **state)
{
	static const struct {
		const char *modes, *medium, *want;
	} cases[] = {
		{NULL, NULL, "null"},
		{"nvme,virtio-blk", NULL, "null"},
		{"nvme-vf", NULL, "disk"},
		{"host,nvme,nvme-vf", NULL, "disk"},
		{"sriov", NULL, "null"},
		{"nvme-vf", "ram", "ram"}, /* to be refused with its own words */
		{"nvme", "/dev/sdb", "/dev/sdb"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct run_args args = {.modes = cases[i].modes, .medium = cases[i].medium};

		assert_string_equal(args_medium(&args), cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(medium_of_a_plan),
		cmocka_unit_test(a_record_keeps_what_was_given),
		cmocka_unit_test(the_tables_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
