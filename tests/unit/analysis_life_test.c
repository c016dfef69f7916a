// SPDX-License-Identifier: MIT
/* The life of one packet is believed only when its steps add up to what the guest measured. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/life.h"

/* A record of one boot whose two steps take so long, and whose guest measured that. */
static json_t *record_of_trip(double first_ns, double second_ns, double latency_ns)
{
	return json_pack(
		"{s:{s:s}, s:s, s:[{s:b, s:{s:f}, s:{s:i, s:[{s:s, s:s, s:s, s:s, s:f, s:f}, {s:s, s:s, s:s, s:s, "
		"s:f, s:f, s:b}]}}]}",
		"plan", "cell", "virtio/builtin observer=life queues=2", "workload", "net-latency", "samples",
		"ok", 1, "metrics", "latency_ns", latency_ns, "life", "trips", 9, "steps", "part", "request",
		"lane", "kvm", "who", "vcpu0", "what", "exit: npf", "ns", first_ns, "at_ns", 0.0, "part",
		"guest", "lane", "guest", "who", "vcpu0", "what", "guest runs", "ns", second_ns, "at_ns",
		first_ns, "waits", 1);
}

static void assert_within(double first_ns, double second_ns, double latency_ns, bool want)
{
	json_t *rec = record_of_trip(first_ns, second_ns, latency_ns);
	struct record_sample s;
	struct record_life life;
	const char *why;

	assert_true(life_find(rec, &s, &life, &why));
	assert_true(life_check(&s, &life).sum_ns == first_ns + second_ns);
	if (life_check(&s, &life).within != want)
		fail_msg("%g + %g of %g: within is %d", first_ns, second_ns, latency_ns, !want);
	json_decref(rec);
}

static void sum_is_held_to_the_latency(void **state)
{
	(void)state;
	assert_within(600, 400, 1000, true);
	assert_within(649, 400, 1000, true);
	assert_within(651, 400, 1000, false);
	assert_within(551, 400, 1000, true);
	assert_within(549, 400, 1000, false);
	assert_within(600, 400, 0, false);
}

static void text_has_every_step(void **state)
{
	json_t *rec = record_of_trip(600, 400, 1200);
	struct record_sample s;
	struct record_life life;
	const char *why;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	assert_true(life_find(rec, &s, &life, &why));
	life_print(rec, &s, &life, f);
	fclose(f);
	assert_non_null(strstr(text, "virtio/builtin queues=2, net-latency"));
	assert_non_null(strstr(text, "exit: npf"));
	assert_non_null(strstr(text, "guest runs *"));
	assert_non_null(strstr(text, "KVM 600 ns (60 %)"));
	assert_non_null(strstr(text, "it waits meanwhile: 400 ns"));
	assert_non_null(strstr(text, "-16.7 %, NOT within 5 %"));
	free(text);
	json_decref(rec);
}

static void without_a_trip(void **state)
{
	json_t *rec = json_pack("{s:[{s:b, s:{}, s:{s:s}}]}", "samples", "ok", 1, "metrics", "life",
				"missing", "no request was seen");
	struct record_sample s;
	struct record_life life;
	const char *why;

	(void)state;
	assert_false(life_find(rec, &s, &life, &why));
	assert_string_equal(why, "no request was seen");
	json_decref(rec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sum_is_held_to_the_latency),
		cmocka_unit_test(text_has_every_step),
		cmocka_unit_test(without_a_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
