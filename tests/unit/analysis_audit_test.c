// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "analysis/audit.h"
#include "results/record.h"
#include "tests/unit/fake_record.h"

#define HEADLINE "throughput_bps exits_per_packet"

static json_t *good_record(void)
{
	json_t *rec =
		fake_record("virtio", "throughput_bps",
			    (double[]){1.00e9, 1.01e9, 1.02e9, 1.00e9, 1.01e9, 0.99e9, 1.00e9, 1.01e9}, 8);
	json_t *summary = json_object_get(rec, "summary"), *samples = json_object_get(rec, "samples"), *s;
	size_t i;

	json_object_set_new(json_object_get(summary, "throughput_bps"), "ci_low", json_real(0.99e9));
	json_object_set_new(json_object_get(summary, "throughput_bps"), "ci_high", json_real(1.02e9));
	json_object_set_new(summary, "cpu_pct",
			    json_pack("{s:f,s:n,s:n,s:i}", "median", 80.0, "ci_low", "ci_high", "n", 8));
	json_array_foreach (samples, i, s) {
		json_object_set_new(s, "bottleneck",
				    json_pack("{s:s,s:s,s:f,s:b}", "role", "io", "name", "io0", "busy_pct",
					      99.0, "saturated", 1));
		json_object_set_new(s, "noise", json_pack("{s:f,s:i}", "steal_pct", 0.1, "jitter_ns", 10));
	}
	json_object_set_new(rec, "environment",
			    json_pack("{s:s,s:s}", "cpu", "a CPU", "kernel", "6.1 of today"));
	json_object_set_new(rec, "inputs",
			    json_pack("[{s:s,s:s,s:s}]", "name", "vmm", "sha256", "00", "build", "release"));
	json_object_set_new(rec, "checks",
			    json_pack("[{s:s,s:b,s:s}]", "name", "exits", "ok", 1, "detail", ""));
	json_object_set_new(rec, "overhead_pct", json_real(1.5));
	json_object_set_new(rec, "plan",
			    json_pack("{s:i,s:[s,s],s:s}", "seed", 7, "order", "virtio/builtin/0", "host/0",
				      "cell", "virtio/builtin"));
	return rec;
}

static const struct audit_row *answer_to(const struct audit_row *row, const char *question)
{
	for (size_t i = 0; i < AUDIT_QUESTIONS; i++)
		if (strstr(row[i].question, question))
			return &row[i];
	fail_msg("nobody asks %s", question);
	return NULL;
}

static void a_sound_run_has_yes_to_all(void **state)
{
	struct audit_row row[AUDIT_QUESTIONS];
	json_t *rec = good_record(), *list;

	(void)state;
	audit_record(rec, HEADLINE, row);
	for (size_t i = 0; i < AUDIT_QUESTIONS; i++)
		if (row[i].answer != AUDIT_YES)
			fail_msg("%s %s: %s", row[i].question, audit_answer_text(row[i].answer),
				 row[i].detail);
	list = audit_json(row);
	assert_int_equal(json_array_size(list), AUDIT_QUESTIONS);
	json_decref(list);
	json_decref(rec);
}

static json_t *first_sample(json_t *rec)
{
	return json_array_get(json_object_get(rec, "samples"), 0);
}

static void fail_a_boot(json_t *rec)
{
	json_object_set_new(first_sample(rec), "ok", json_false());
	json_object_set_new(first_sample(rec), "error", json_string("it burnt"));
}

static void fail_a_check(json_t *rec)
{
	json_object_set_new(json_array_get(json_object_get(rec, "checks"), 0), "ok", json_false());
}

static void lose_packets(json_t *rec)
{
	json_object_set_new(json_object_get(rec, "summary"), "loss_pct",
			    json_pack("{s:f,s:n,s:n,s:i}", "median", 2.0, "ci_low", "ci_high", "n", 8));
}

static void saturate_nobody(json_t *rec)
{
	json_t *s;
	size_t i;

	json_array_foreach (json_object_get(rec, "samples"), i, s)
		json_object_set_new(json_object_get(s, "bottleneck"), "saturated", json_false());
}

static void keep_three_boots(json_t *rec)
{
	while (json_array_size(json_object_get(rec, "samples")) > 3)
		json_array_remove(json_object_get(rec, "samples"), 0);
}

static void widen(json_t *rec)
{
	json_object_set_new(json_object_get(json_object_get(rec, "summary"), "throughput_bps"), "ci_high",
			    json_real(2e9));
}

static void steal(json_t *rec)
{
	json_object_set_new(json_object_get(first_sample(rec), "noise"), "steal_pct", json_real(7));
}

static void measure_alone(json_t *rec)
{
	json_object_set_new(json_object_get(rec, "plan"), "order",
			    json_pack("[s,s]", "virtio/builtin/0", "virtio/builtin/1"));
}

static void forget_the_cpu(json_t *rec)
{
	json_object_del(json_object_get(rec, "summary"), "cpu_pct");
}

static void be_micro(json_t *rec)
{
	json_object_set_new(rec, "guest", json_string("micro"));
}

static void emulate(json_t *rec)
{
	json_object_set_new(rec, "time_base", json_string("emulated"));
}

static void forget_the_cpu_model(json_t *rec)
{
	json_object_del(json_object_get(rec, "environment"), "cpu");
}

static void build_for_debugging(json_t *rec)
{
	json_object_set_new(json_array_get(json_object_get(rec, "inputs"), 0), "build", json_string("debug"));
}

static void probe_dearly(json_t *rec)
{
	json_object_set_new(rec, "overhead_pct", json_real(20));
}

static void each_fault_is_told(void **state)
{
	static const struct {
		void (*spoil)(json_t *rec);
		const char *question, *detail;
	} cases[] = {
		{fail_a_boot, "happen at all", "7 of 8"},
		{fail_a_boot, "Without errors", "it burnt"},
		{fail_a_check, "Without errors", "check exits"},
		{lose_packets, "Without errors", "2 % of the packets"},
		{saturate_nobody, "Why not double", "no thread was saturated (busiest: io, 99 %)"},
		{keep_three_boots, "significance", "3 boots: too few"},
		{widen, "repeat", "within"},
		{steal, "quiet", "7 % steal"},
		{measure_alone, "baseline", "alone"},
		{forget_the_cpu, "CPU's cost", "no CPU time"},
		{be_micro, "microbenchmark", "one operation"},
		{emulate, "real machine", "times emulated"},
		{forget_the_cpu_model, "platform", "Linux 6.1"},
		{build_for_debugging, "cost of measuring", "type debug"},
		{probe_dearly, "cost of measuring", "20 % of the CPU"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct audit_row row[AUDIT_QUESTIONS];
		json_t *rec = good_record();
		const struct audit_row *r;

		cases[i].spoil(rec);
		audit_record(rec, HEADLINE, row);
		r = answer_to(row, cases[i].question);
		if (r->answer != AUDIT_NO || !strstr(r->detail, cases[i].detail))
			fail_msg("%s %s: %s", r->question, audit_answer_text(r->answer), r->detail);
		json_decref(rec);
	}
}

/* What an old record does not say is not said for it. */
static void a_bare_record_cannot_tell(void **state)
{
	static const char *const unknown[] = {"Why not double",	      "repeat",		  "quiet", "absolute",
					      "order that was drawn", "cost of measuring"};
	json_t *rec = fake_record("virtio", "throughput_bps", (double[]){1e9}, 1);
	struct audit_row row[AUDIT_QUESTIONS];

	(void)state;
	audit_record(rec, NULL, row);
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		if (answer_to(row, unknown[i])->answer != AUDIT_UNKNOWN)
			fail_msg("%s: %s", unknown[i], answer_to(row, unknown[i])->detail);
	json_decref(rec);
}

static void in_a_report(void **state)
{
	json_t *rec[2] = {good_record(), good_record()};
	struct fig_set set = {rec, 2};
	struct doc d;

	(void)state;
	be_micro(rec[1]);
	doc_begin(&d, DOC_MD, "t");
	audit_report(&d, &set, NULL);
	doc_end(&d);
	assert_non_null(strstr(strbuf_str(&d.out), "Is it more than a microbenchmark? | yes | no |"));
	assert_non_null(strstr(strbuf_str(&d.out), "what one operation costs"));
	strbuf_free(&d.out);
	json_decref(rec[0]);
	json_decref(rec[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sound_run_has_yes_to_all),
		cmocka_unit_test(each_fault_is_told),
		cmocka_unit_test(a_bare_record_cannot_tell),
		cmocka_unit_test(in_a_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
