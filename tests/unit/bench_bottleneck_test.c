// SPDX-License-Identifier: MIT
/* Who was the bottleneck, from the CPU times of the threads in the window. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "bench/sample/bottleneck.h"

static json_t *sample(const char *threads, unsigned cpus)
{
	json_t *t = json_loads(threads, 0, NULL), *s = json_object(), *b;

	assert_non_null(t);
	b = bottleneck_of(t, 1e9, cpus);
	if (b)
		json_object_set_new(s, "bottleneck", b);
	json_decref(t);
	return s;
}

#define THREAD(role, cpu) "{\"name\": \"x\", \"role\": \"" role "\", \"cpu_ns\": " cpu "}"

static const struct {
	const char *threads[3], *want; /* want NULL: nothing is known */
	unsigned cpus;
} cases[] = {
	{{"[" THREAD("vcpu", "980000000") "," THREAD("io", "300000000") "]"}, "vcpu 98 %", 4},
	{{"[" THREAD("vcpu", "400000000") "," THREAD("peer", "950000000") "]"}, "peer 95 %", 4},
	{{"[" THREAD("vcpu", "400000000") "," THREAD("vhost", "610000000") "]"},
	 "none (busiest: vhost 61 %)",
	 4},
	/* The median sample speaks, not the last. */
	{{"[" THREAD("vcpu", "990000000") "]", "[" THREAD("io", "200000000") "]",
	  "[" THREAD("vcpu", "950000000") "]"},
	 "vcpu 95 %",
	 1},
	{{"[" THREAD("vcpu", "980000000") "," THREAD("io", "920000000") "]"}, "all CPUs 95 %", 2},
	{{"[]"}, NULL, 4},
};

static void test_verdicts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct strbuf sb = STRBUF_INIT;
		json_t *samples = json_array();

		for (size_t k = 0; k < 3 && cases[i].threads[k]; k++)
			json_array_append_new(samples, sample(cases[i].threads[k], cases[i].cpus));
		assert_int_equal(bottleneck_text(samples, &sb), cases[i].want != NULL);
		if (cases[i].want)
			assert_string_equal(strbuf_str(&sb), cases[i].want);
		strbuf_free(&sb);
		json_decref(samples);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_verdicts)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
