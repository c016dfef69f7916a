// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>

#include "base/log.h"
#include "results/record.h"
#include "tests/unit/fake_record.h"

static void metrics_carry_their_unit(void **state)
{
	static const char *const fixed[] = {"throughput_bps",
					    "packets_per_s",
					    "transactions_per_s",
					    "latency_ns",
					    "exits_per_s",
					    "exits_per_packet",
					    "userspace_exits_per_packet",
					    "kicks_per_packet",
					    "interrupts_per_packet",
					    "batch_packets",
					    "cpu_ns_per_packet",
					    "cpu_host_pct",
					    "cpu_guest_pct",
					    "waiting_pct",
					    "boot_ns",
					    "exit_cost_ns"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		assert_non_null(metric_find(fixed[i]));
	assert_null(metric_find("throughput"));
	assert_int_equal(metric_find("throughput_bps")->better, 1);
	assert_int_equal(metric_find("latency_ns")->better, -1);
	for (const struct metric_info *m = metric_table; m->name; m++) {
		size_t n = strlen(m->name);

		assert_ptr_equal(metric_find(m->name), m); /* no name twice */
		if (n > 3 && !strcmp(m->name + n - 3, "_ns"))
			assert_string_equal(m->unit, "ns");
		if (n > 4 && !strcmp(m->name + n - 4, "_pct"))
			assert_string_equal(m->unit, "%");
	}
}

/* Two runs are an A/A experiment when every program and the kernels below are the same. */
static void builds(void **state)
{
	static const struct {
		const char *patch;
		bool same;
	} cases[] = {
		{"{\"inputs\": [{\"name\": \"bench\", \"sha256\": \"aa\", \"version\": \"v2\"},"
		 "{\"name\": \"builtin\", \"sha256\": \"bb\"}]}", true},
		{"{\"mode\": \"vhost\"}", true}, /* another series, not another build */
		{"{\"inputs\": [{\"name\": \"bench\", \"sha256\": \"aa\"},"
		 "{\"name\": \"builtin\", \"sha256\": \"bc\"}]}", false},
		{"{\"environment\": {\"kernel\": \"6.2\"}}", false},
		{"{\"environment\": {\"kernel\": \"6.1\", \"noise\": 1}}", true},
		{"{\"environment\": {\"kernel\": \"6.1\", \"lab\": {\"qemu\": \"10\"}}}", false},
		{"{\"inputs\": [{\"name\": \"bench\"}]}", false},
		{"{\"inputs\": []}", false},
	};
	json_t *rec = fake_record("virtio", "latency_ns", (double[]){1}, 1);
	char *first, *other;

	(void)state;
	json_object_update_new(rec, json_loads("{\"environment\": {\"kernel\": \"6.1\"}}", 0, NULL));
	json_object_update_new(rec, json_loads(cases[0].patch, 0, NULL));
	first = record_build(rec);
	assert_int_equal(strlen(first), 16);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *changed = json_deep_copy(rec);

		json_object_update_new(changed, json_loads(cases[i].patch, 0, NULL));
		other = record_build(changed);
		if (!strcmp(first, other) != cases[i].same)
			fail_msg("case %zu", i);
		free(other);
		json_decref(changed);
	}
	free(first);
	json_decref(rec);
}

/* Each case is one JSON patch (merged at the top level) that a record must not survive. */
static void bad_records_are_refused(void **state)
{
	static const struct {
		const char *patch;
		bool valid;
	} cases[] = {
		{"{}", true},
		{"{\"unknown\": 1}", true},
		{"{\"schema\": 2}", false},
		{"{\"schema\": \"1\"}", false},
		{"{\"mode\": null}", false},
		{"{\"mode\": \"\"}", true},
		{"{\"id\": \"../../etc\"}", false},
		{"{\"id\": \"\"}", false},
		{"{\"id\": \"abcdefghabcdefghabcdefghabcdefgh\"}", false},
		{"{\"samples\": {}}", false},
		{"{\"samples\": []}", true},
		{"{\"samples\": [{\"ok\": 1}]}", false},
		{"{\"samples\": [{\"ok\": true}]}", false},
		{"{\"samples\": [{\"ok\": true, \"metrics\": {\"latency_ns\": \"5\"}}]}", false},
		{"{\"samples\": [{\"ok\": false}]}", false},
		{"{\"samples\": [{\"ok\": false, \"error\": \"timed out\"}]}", true},
		{"{\"samples\": [{\"ok\": false, \"error\": \"x\", \"metrics\": {\"latency_ns\": "
		 "0}}]}",
		 false},
		{"{\"samples\": [{\"ok\": true, \"metrics\": {}, \"hists\": {\"latency\": "
		 "{\"count\": 1}}}]}",
		 false},
		{"{\"summary\": {\"latency_ns\": {\"median\": 1, \"n\": 3}}}", false},
		{"{\"summary\": {\"latency_ns\": {\"median\": 1, \"ci_low\": null, \"ci_high\": "
		 "2, \"n\": 3}}}",
		 true},
		{"{\"exits\": [{\"reason\": \"hlt\", \"key\": \"\", \"count\": 1.5}]}", true},
		{"{\"exits\": [{\"reason\": 5, \"key\": \"\", \"count\": 1}]}", false},
		{"{\"checks\": [{\"name\": \"x\"}]}", false},
		{"{\"inputs\": [{\"name\": \"vmm\"}]}", false},
		{"{\"overhead_pct\": null}", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *rec = fake_record("virtio", "throughput_bps", (double[]){1e9, 2e9}, 2);
		json_t *patch = json_loads(cases[i].patch, 0, NULL);

		assert_non_null(patch);
		json_object_update(rec, patch);
		if ((record_validate(rec, "case") == 0) != cases[i].valid)
			fail_msg("%s: expected %s", cases[i].patch,
				 cases[i].valid ? "valid" : "refused");
		json_decref(patch);
		json_decref(rec);
	}
}

static void values_come_from_ok_samples_only(void **state)
{
	json_t *rec = fake_record("virtio", "latency_ns", (double[]){5, 7, 9}, 3);
	json_t *failed = json_pack("{s:b,s:s,s:{s:f}}", "ok", 0, "error", "timed out", "metrics",
				   "latency_ns", 0.0);
	double *x;
	size_t n;

	(void)state;
	json_array_set_new(json_object_get(rec, "samples"), 1, failed);
	x = record_values(rec, "latency_ns", &n);
	assert_int_equal(n, 2);
	assert_true(x[0] == 5 && x[1] == 9);
	free(x);
	assert_null(record_values(rec, "boot_ns", &n));
	assert_int_equal(n, 0);
	json_decref(rec);
}

static void knobs_as_text(void **state)
{
	json_t *rec = fake_record("virtio", "latency_ns", (double[]){1}, 1);
	char *text = record_knobs(rec);

	(void)state;
	assert_string_equal(text, "");
	free(text);
	json_object_set_new(rec, "knobs",
			    json_pack("{s:s,s:s}", "ring", "packed", "event_idx", "on"));
	text = record_knobs(rec);
	assert_string_equal(text, "event_idx=on ring=packed");
	free(text);
	json_decref(rec);
}

static void series_ignores_order_and_reps(void **state)
{
	json_t *a = fake_record("virtio", "latency_ns", (double[]){1}, 1), *b = json_deep_copy(a);
	char *sa, *sb;

	(void)state;
	json_object_set_new(a, "knobs",
			    json_pack("{s:s,s:s}", "ring", "packed", "event_idx", "on"));
	json_object_set_new(b, "knobs",
			    json_pack("{s:s,s:s}", "event_idx", "on", "ring", "packed"));
	json_object_set_new(json_object_get(b, "params"), "reps", json_integer(20));
	sa = record_series(a);
	sb = record_series(b);
	assert_string_equal(
		sa, "net-throughput/virtio/builtin/linux/host/real;event_idx=on;ring=packed;"
		    "msg_size=1460");
	assert_string_equal(sa, sb);
	free(sb);
	json_object_set_new(json_object_get(b, "params"), "msg_size", json_integer(64));
	sb = record_series(b);
	assert_string_not_equal(sa, sb);
	free(sa);
	free(sb);
	json_decref(a);
	json_decref(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(metrics_carry_their_unit),
		cmocka_unit_test(builds),
		cmocka_unit_test(bad_records_are_refused),
		cmocka_unit_test(values_come_from_ok_samples_only),
		cmocka_unit_test(knobs_as_text),
		cmocka_unit_test(series_ignores_order_and_reps),
	};

	log_init("test", LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
