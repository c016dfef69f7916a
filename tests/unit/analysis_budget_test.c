// SPDX-License-Identifier: MIT
/* Where the CPU time of a packet goes, from a record whose parts are known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "analysis/budget.h"
#include "base/util.h"
#include "results/record.h"
#include "tests/unit/fake_record.h"

static json_t *exit_row(const char *reason, int count, int guest_ns, int kvm_ns, int user_ns)
{
	return json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:i}", "reason", reason, "key", "", "count",
			 count, "guest_ns", guest_ns, "kvm_ns", kvm_ns, "kvm_fast_ns", 0, "user_ns", user_ns,
			 "user_count", user_ns ? count : 0);
}

/* 10 packets: 3,000 ns each of vCPU, I/O thread and peer in all, of which exits explain what they say. */
static void add_boot(json_t *sample, const char *metric)
{
	json_object_set_new(json_object_get(sample, "metrics"), metric, json_real(2000));
	json_object_set_new(sample, "threads",
			    json_pack("[{s:s,s:i}, {s:s,s:i,s:i}, {s:s,s:i}]", "role", "vcpu", "cpu_ns",
				      12000, "role", "io", "cpu_ns", 8000, "switches", 4, "role", "peer",
				      "cpu_ns", 5000));
	json_object_set_new(sample, "exits",
			    json_pack("[o,o,o]", exit_row("io", 5, 4000, 2000, 1000),
				      exit_row("msr", 20, 1000, 3000, 0), exit_row("io", 5, 500, 500, 0)));
}

static json_t *record_with(const char *metric)
{
	json_t *rec = fake_record("virtio", "throughput_bps", (double[]){1, 1}, 2), *s;
	size_t i;

	json_array_foreach (json_object_get(rec, "samples"), i, s)
		add_boot(s, metric);
	return rec;
}

static void rows_are_per_packet(void **state)
{
	static const struct budget_row want[] = {
		{"the guest's own work", 0, 550}, {"exits in KVM: msr", 2, 300}, {"exits in KVM: io", 1, 250},
		{"exits in the VMM", 0.5, 100},	  {"I/O threads", 0.4, 800},
	};
	json_t *rec = record_with("cpu_ns_per_packet");
	struct budget b;

	(void)state;
	assert_true(budget_of(rec, &b));
	assert_string_equal(b.unit, "packet");
	assert_int_equal(b.boots, 2);
	assert_int_equal(b.n, ARRAY_SIZE(want));
	for (size_t i = 0; i < b.n; i++) {
		assert_string_equal(b.row[i].part, want[i].part);
		assert_float_equal(b.row[i].times, want[i].times, 1e-9);
		assert_float_equal(b.row[i].ns, want[i].ns, 1e-9);
	}
	assert_float_equal(b.sum_ns, 2000, 1e-9);
	assert_float_equal(b.measured_ns, 2000, 1e-9);
	assert_float_equal(b.peer_ns, 500, 1e-9);
	assert_float_equal(budget_excess(&b), 0, 1e-9);
	json_decref(rec);
}

/* The six dearest kinds have a row each but for the last, which is all others together. */
static void cheap_exits_are_one_row(void **state)
{
	json_t *rec = record_with("cpu_ns_per_io"), *sample, *exits;
	char reason[8];
	struct budget b;
	size_t n;

	(void)state;
	json_array_foreach (json_object_get(rec, "samples"), n, sample) {
		exits = json_object_get(sample, "exits");
		for (int i = 0; i < 100; i++) {
			snprintf(reason, sizeof(reason), "r%d", i);
			json_array_append_new(exits, exit_row(reason, 1, 0, i, 0));
		}
	}
	assert_true(budget_of(rec, &b));
	assert_string_equal(b.unit, "io");
	assert_string_equal(b.row[6].part, "exits in KVM: others");
	assert_float_equal(b.sum_ns, 2000 + 99 * 100 / 2 / 10., 1e-9);
	json_decref(rec);
}

static void none_without_packets_exits_or_boots(void **state)
{
	json_t *rec = record_with("cpu_ns_per_op"), *s;
	struct budget b;
	size_t i;

	(void)state;
	assert_false(budget_of(rec, &b));
	json_decref(rec);
	rec = record_with("cpu_ns_per_packet");
	json_array_foreach (json_object_get(rec, "samples"), i, s)
		json_object_set_new(s, "exits", json_array());
	assert_false(budget_of(rec, &b));
	json_decref(rec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_per_packet),
		cmocka_unit_test(cheap_exits_are_one_row),
		cmocka_unit_test(none_without_packets_exits_or_boots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
