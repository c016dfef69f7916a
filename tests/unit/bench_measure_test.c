// SPDX-License-Identifier: MIT
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/hist_json.h"
#include "bench/sample/measure.h"

static struct record_sample vm(double bps, double late_ns, int hlt, int mmio)
{
	static struct hist h;
	struct record_sample s = {.ok = true};

	hist_init(&h);
	hist_add(&h, (uint64_t)late_ns);
	s.metrics = json_pack("{s:f, s:f, s:f, s:f}", "throughput_bps", bps, "timer_late_ns", late_ns,
			      "exits_per_packet", late_ns / 100, "loss_pct", late_ns / 100);
	s.exits = json_pack("[{s:s, s:s, s:i, s:i}, {s:s, s:s, s:i, s:i}]", "reason", "hlt", "key", "",
			    "count", hlt, "total_ns", 10 * hlt, "reason", "mmio", "key", "e1000 TDT", "count",
			    mmio, "total_ns", 5 * mmio);
	s.hists = json_pack("{s:o}", "late", hist_to_json(&h));
	s.threads = json_pack("[{s:s}]", "name", "vcpu0");
	s.checks = json_array();
	record_add_check(s.checks, "cross_check", true, "");
	return s;
}

static double number(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static void vms_of_one_sample(void **state)
{
	struct record_sample v[] = {vm(1e9, 100, 7, 3), vm(3e9, 300, 1, 4), vm(2e9, 200, 0, 5)};
	const json_t *m, *row;

	(void)state;
	measure_join_vms(v, 3);
	m = v[0].metrics;
	assert_true(number(m, "throughput_bps") == 6e9);
	assert_true(number(m, "timer_late_ns") == 200);
	assert_true(number(m, "exits_per_packet") == 2);
	assert_true(number(m, "loss_pct") == 2);
	assert_int_equal(json_array_size(v[0].exits), 2);
	row = json_array_get(v[0].exits, 1);
	assert_string_equal(json_string_value(json_object_get(row, "key")), "e1000 TDT");
	assert_int_equal(number(row, "count"), 12);
	assert_int_equal(number(row, "total_ns"), 60);
	assert_int_equal(number(json_object_get(v[0].hists, "late"), "count"), 3);
	assert_int_equal(json_array_size(v[0].checks), 3);
	row = json_array_get(v[0].threads, 2);
	assert_int_equal(number(row, "vm"), 2);
	row = json_array_get(v[0].vms, 1);
	assert_true(number(json_object_get(row, "metrics"), "throughput_bps") == 3e9);
	for (size_t i = 0; i < ARRAY_SIZE(v); i++)
		json_decref(members_write(&sample_members, &v[i]));
}

/* Every number of a row is that of all vCPUs and samples, not of the first. */
static void rows_become_one(void **state)
{
	static const char *const sums[] = {"count",   "total_ns",   "guest_ns",   "kvm_fast_ns", "kvm_ns",
					   "user_ns", "wait_ns",    "asleep_ns",  "fast_count",
					   "user_count", "untraced"};
	json_t *rows = json_array(), *merged, *row;

	(void)state;
	for (int i = 0; i < 3; i++) {
		row = json_pack("{s:s, s:s, s:i, s:i}", "reason", "io", "key", "out 0x80", "vcpu", i, "tid",
				70 + i);
		for (size_t k = 0; k < ARRAY_SIZE(sums); k++)
			json_object_set_new(row, sums[k], json_integer(10 * (i + 1)));
		json_array_append_new(rows, row);
	}
	merged = measure_merge_exits(rows);
	measure_exits_per_sample(merged, 2);
	assert_int_equal(json_array_size(merged), 1);
	row = json_array_get(merged, 0);
	for (size_t k = 0; k < ARRAY_SIZE(sums); k++)
		assert_true(number(row, sums[k]) == 30);
	assert_null(json_object_get(row, "vcpu"));
	assert_null(json_object_get(row, "tid"));
	json_decref(merged);
	json_decref(rows);
}

/* Where the kernel shows no kicks, or does not tell guest from host, there is no number instead of 0. */
static void unseen_is_absent(void **state)
{
	static const struct {
		const char *probes;
		bool kicks, split;
	} cases[] = {
		{"{'totals': {'exits': 5}, 'notify': {'kicks_userspace': 2}, 'threads': [{'role': 'vcpu', 'cpu_ns': 50}]}",
		 false, false},
		{"{'totals': {'exits': 5}, 'notify': {'kicks_userspace': 2, 'kicks_ioeventfd': 1},"
		 " 'threads': [{'role': 'vcpu', 'cpu_ns': 50, 'guest_ns': 40}]}", true, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[256], *why = NULL;
		struct observed o = {.agent = json_pack("{s:i, s:i, s:i}", "packets", 10, "window_ns", 1000,
							"guest_kicks", 4)};
		struct record_sample s = {.ok = true};
		json_t *m;

		snprintf(text, sizeof(text), "%s", cases[i].probes);
		for (char *c = text; *c; c++)
			*c = *c == '\'' ? '"' : *c;
		o.probes = json_loads(text, 0, NULL);
		assert_non_null(o.probes);
		assert_int_equal(measure_sample(&o, &s, &why), 0);
		m = s.metrics;
		assert_int_equal(json_object_get(m, "kicks") != NULL, cases[i].kicks);
		assert_int_equal(json_object_get(m, "kicks_per_packet") != NULL, cases[i].kicks);
		/* The guest knows its own, whatever the kernel shows. */
		assert_true(number(m, "guest_kicks_per_packet") == 0.4);
		assert_int_equal(json_object_get(m, "cpu_guest_pct") != NULL, cases[i].split);
		assert_non_null(json_object_get(m, "cpu_pct"));
		json_decref(members_write(&sample_members, &s));
		json_decref(o.probes);
		json_decref(o.agent);
	}
}

/* A boot is over at the guest's marker: rates go by that time, and one without a marker is void. */
static void a_boot_ends_at_its_marker(void **state)
{
	struct observed o = {.whole_boot = true, .boot_ns = 5000};
	struct record_sample s = {.ok = true};
	char *why = NULL;

	(void)state;
	o.probes = json_pack("{s:{s:b, s:i, s:i}, s:{s:i}}", "window", "closed", 1, "open_ns", 1000,
			     "close_ns", 3000, "totals", "exits", 4);
	assert_int_equal(measure_sample(&o, &s, &why), 0);
	assert_true(number(s.metrics, "boot_exits") == 4);
	assert_true(number(s.metrics, "boot_ns") == 5000);
	assert_true(number(s.metrics, "exits_per_s") == 2e6);
	json_decref(members_write(&sample_members, &s));
	s = (struct record_sample){.ok = true};
	json_object_set_new(json_object_get(o.probes, "window"), "closed", json_false());
	assert_int_equal(measure_sample(&o, &s, &why), -EIO);
	assert_non_null(strstr(why, "boot_marker"));
	free(why);
	json_decref(members_write(&sample_members, &s));
	json_decref(o.probes);
}

/* Hypercalls and grants are numbers where there are any, and not 0 where nobody looks at them. */
static void xen_is_counted(void **state)
{
	struct observed o = {.agent = json_pack("{s:i, s:i}", "packets", 10, "window_ns", 1000)};
	struct record_sample s = {.ok = true};
	char *why = NULL;

	(void)state;
	o.probes = json_pack("{s:{s:i, s:i}, s:{s:i, s:i}}", "totals", "exits", 50, "hypercalls", 20,
			     "grants", "maps", 15, "copies", 0);
	assert_int_equal(measure_sample(&o, &s, &why), 0);
	assert_true(number(s.metrics, "hypercalls") == 20);
	assert_true(number(s.metrics, "hypercalls_per_packet") == 2);
	assert_true(number(s.metrics, "grant_maps_per_packet") == 1.5);
	assert_true(json_is_real(json_object_get(s.metrics, "grant_copies_per_packet")));
	json_decref(members_write(&sample_members, &s));
	json_decref(o.probes);
	s = (struct record_sample){.ok = true};
	o.probes = json_pack("{s:{s:i}}", "totals", "exits", 50);
	assert_int_equal(measure_sample(&o, &s, &why), 0);
	assert_null(json_object_get(s.metrics, "hypercalls"));
	assert_null(json_object_get(s.metrics, "grant_maps_per_packet"));
	json_decref(members_write(&sample_members, &s));
	json_decref(o.probes);
	json_decref(o.agent);
}

/* A disk's costs are shared among its requests; what our VMM's queues got must be what the guest gave. */
static void requests_of_a_disk(void **state)
{
	static const struct {
		const char *name;
		uint64_t got, flushed, failed;
		int err;
	} cases[] = {
		{"equal", 40, 8, 0, 0},
		{"one lost", 39, 8, 0, -EIO},
		{"one too many", 41, 8, 0, -EIO},
		{"a flush that was none", 40, 7, 0, -EIO},
		{"one failed", 40, 8, 1, -EIO},
	};
	static struct stats_page page;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct observed o = {.stats = &page};
		struct record_sample s = {.ok = true};
		char *why = NULL;

		memset(&page, 0, sizeof(page));
		page.n_queues = 2;
		page.n_vcpus = 1;
		page.open_ns = 1;
		page.close_ns = 1001;
		page.at_open.queue[1].descs = 100;
		page.at_close.queue[0].descs = 10;
		page.at_close.queue[1] = (struct stats_queue){.descs = 90 + cases[i].got,
							      .flushes = cases[i].flushed,
							      .errors = cases[i].failed,
							      .depth_sum = 120,
							      .host_requests = 20};
		o.agent = json_pack("{s:i, s:i, s:i}", "ios", 40, "flushes", 8, "window_ns", 1000);
		o.probes = json_loads("{\"totals\": {\"exits\": 10, \"userspace_exits\": 4}, \"notify\": {\"kicks_userspace\": 2,"
				      "\"kicks_ioeventfd\": 8, \"injected\": 20}, \"threads\": [{\"role\": \"io\", \"cpu_ns\": 400}]}", 0, NULL);
		if (measure_sample(&o, &s, &why) != cases[i].err)
			fail_msg("%s: %s", cases[i].name, why);
		if (!cases[i].err) {
			assert_true(number(s.metrics, "exits_per_io") == 0.25);
			assert_true(number(s.metrics, "userspace_exits_per_io") == 0.1);
			assert_true(number(s.metrics, "kicks_per_io") == 0.25);
			assert_true(number(s.metrics, "interrupts_per_io") == 0.5);
			assert_true(number(s.metrics, "cpu_ns_per_io") == 10);
			assert_true(number(s.metrics, "batch_ios") == 4);
			assert_true(number(s.metrics, "queue_depth") == 3);
			assert_true(number(s.metrics, "host_requests_per_io") == 0.5);
			assert_null(json_object_get(s.metrics, "exits_per_packet"));
		}
		json_decref(members_write(&sample_members, &s));
		json_decref(o.probes);
		json_decref(o.agent);
		free(why);
	}
}

/* Whoever the VMM is: the kernel's target counts by itself. */
static void commands_of_a_target(void **state)
{
	static const struct {
		uint64_t commands[2];
		bool open_ends;
		int err;
	} cases[] = {
		{{17, 57}, false, 0},
		{{17, 56}, false, -EIO},
		{{17, 58}, false, -EIO},
		{{58, 17}, false, -EIO},
		{{17, 99}, true, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct observed o = {.commands = cases[i].commands,
				     .foreign_helper = true,
				     .open_ends = cases[i].open_ends};
		struct record_sample s = {.ok = true};
		char *why = NULL;

		o.agent = json_pack("{s:i, s:i, s:i}", "ios", 40, "flushes", 0, "window_ns", 1000);
		assert_int_equal(measure_sample(&o, &s, &why), cases[i].err);
		json_decref(members_write(&sample_members, &s));
		json_decref(o.agent);
		free(why);
	}
}

/* Of each part the exits between its edges, without the edge's own; where edges are missing, no numbers. */
static void parts_of_a_window(void **state)
{
	static const struct {
		const char *laps;
		bool contained, translated;
		int err;
		double first, second; /* exits per operation; -1: no number */
	} cases[] = {
		{"[100, 101, 150, 191]", false, false, 0, 0, 2},
		{"[100, 301, 302, 303]", false, false, 0, 2, 0},
		{"[100, 101, 150]", false, false, -EIO, -1, -1},
		{"[1, 2, 3, 4, 5, 6]", false, false, -EIO, -1, -1},
		{"[]", false, false, -EIO, -1, -1},
		{"[]", false, true, 0, -1, -1},
		{NULL, true, false, 0, 0, 0},
		{NULL, false, false, 0, -1, -1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct observed o = {.contained = cases[i].contained, .translated = cases[i].translated};
		struct record_sample s = {.ok = true};
		const json_t *first, *second;
		char *why = NULL;

		o.agent = json_pack("{s:i, s:i, s:f, s:i}", "window_ns", 1000, "ops.syscall", 100,
				    "op_ns.syscall", 5.0, "ops.fork", 20);
		if (cases[i].laps)
			o.probes = json_pack("{s:s, s:{s:i}, s:o}", "backend", "svm", "totals", "exits", 500,
					     "laps", json_loads(cases[i].laps, 0, NULL));
		if (measure_sample(&o, &s, &why) != cases[i].err)
			fail_msg("case %zu: %s", i, why);
		first = json_object_get(s.metrics, "exits_per_op.syscall");
		second = json_object_get(s.metrics, "exits_per_op.fork");
		assert_int_equal(!!first, cases[i].first >= 0);
		assert_true(!first || json_number_value(first) == cases[i].first);
		assert_true(!second || json_number_value(second) == cases[i].second);
		json_decref(members_write(&sample_members, &s));
		json_decref(o.probes);
		json_decref(o.agent);
		free(why);
	}
}

#define MMU_UPDATES ", page_fault: mmu_update 1000, the guest 1000"

/* What is known to be one exit each is as many of them as the guest says that it did. */
static void known_operations_are_counted_twice(void **state)
{
	static const struct {
		const char *backend, *reason;
		int seen, err;
		const char *detail; /* NULL: there is no check */
	} cases[] = {
		{"xen-pv", "page fault", 1000, 0, "page_fault: page fault 1000, the guest 1000" MMU_UPDATES},
		{"xen-pv", "page fault", 1012, 0, "page_fault: page fault 1012, the guest 1000" MMU_UPDATES},
		{"xen-pv", "page fault", 988, 0, "page_fault: page fault 988, the guest 1000" MMU_UPDATES},
		{"xen-pv", "page fault", 1013, -EIO,
		 "page_fault: page fault 1013, the guest 1000" MMU_UPDATES},
		{"xen-pv", "page fault", 987, -EIO, "page_fault: page fault 987, the guest 1000" MMU_UPDATES},
		{"xen-pv", "trap", 1000, -EIO, "page_fault: page fault 0, the guest 1000" MMU_UPDATES},
		/* Nested paging: no exit. */
		{"xen-hvm", "npf", 3, 0, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct observed o = {
			.agent = json_pack("{s:i, s:i}", "window_ns", 1000, "ops.page_fault", 1000)};
		struct record_sample s = {.ok = true};
		struct record_check check = {.name = NULL};
		char *why = NULL;

		o.probes = json_pack(
			"{s:s, s:{s:i}, s:[i, i], s:[{s:[{s:s, s:s, s:i}, {s:s, s:s, s:i}, {s:s, s:s, s:i}], s:i}]}",
			"backend", cases[i].backend, "totals", "exits", 5000, "laps", 10, 3011, "parts",
			"exits", "reason", cases[i].reason, "key", "", "count", cases[i].seen - 1, "reason",
			cases[i].reason, "key", "#2", "count", 1, "reason", "hypercall", "key", "mmu_update",
			"count", 1000, "hypercalls", 2500);
		assert_non_null(o.probes);
		if (measure_sample(&o, &s, &why) != cases[i].err)
			fail_msg("case %zu: %s", i, why);
		for (size_t k = 0; record_check(s.checks, k, &check) && strcmp(check.name, "guest_ops") != 0;)
			k++;
		if (cases[i].detail)
			assert_string_equal(check.detail, cases[i].detail);
		else
			assert_string_not_equal(check.name, "guest_ops");
		if (!cases[i].err) {
			assert_true(number(s.metrics, "exits_per_op.page_fault") == 3);
			assert_true(number(s.metrics, "hypercalls_per_op.page_fault") == 2.5);
		}
		assert_int_equal(json_array_size(s.ops), 1);
		json_decref(members_write(&sample_members, &s));
		json_decref(o.probes);
		json_decref(o.agent);
		free(why);
	}
}

/* The irets of timing a part, of which CPUID has nothing else, and of the timer are not the operation's. */
static void returns_to_a_domains_programs(void **state)
{
	static const struct {
		int irets, timers, err;
		const char *detail;
	} cases[] = {
		{213, 2, 0, "port_write: port write 200, the guest 200, port_write: iret 200, the guest 200"},
		{218, 2, -EIO, "port_write: port write 200, the guest 200, port_write: iret 205, the guest 200"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct observed o = {.agent = json_pack("{s:i, s:i, s:i}", "window_ns", 1000,
							"ops.port_write", 200, "ops.cpuid", 1000)};
		struct record_sample s = {.ok = true};
		struct record_check check;
		char *why = NULL;

		o.probes = json_pack(
			"{s:s, s:{s:i}, s:[i, i, i, i], "
			"s:[{s:[{s:s, s:s, s:i}, {s:s, s:s, s:i}, {s:s, s:s, s:i}], s:i},"
			" {s:[{s:s, s:s, s:i}, {s:s, s:s, s:i}], s:i}]}",
			"backend", "xen-pv", "totals", "exits", 5000, "laps", 10, 500, 501, 512, "parts",
			"exits", "reason", "privileged op", "key", "port write", "count", 200, "reason",
			"hypercall", "key", "iret", "count", cases[i].irets, "reason", "hypercall", "key",
			"vcpu_op set_singleshot_timer", "count", cases[i].timers, "hypercalls", 215, "exits",
			"reason", "hypercall", "key", "iret", "count", 12, "reason", "hypercall", "key",
			"vcpu_op set_singleshot_timer", "count", 1, "hypercalls", 13);
		assert_non_null(o.probes);
		assert_int_equal(measure_sample(&o, &s, &why), cases[i].err);
		for (size_t k = 0; record_check(s.checks, k, &check) && strcmp(check.name, "guest_ops") != 0;)
			k++;
		assert_string_equal(check.detail, cases[i].detail);
		json_decref(members_write(&sample_members, &s));
		json_decref(o.probes);
		json_decref(o.agent);
		free(why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(returns_to_a_domains_programs),
		cmocka_unit_test(vms_of_one_sample),
		cmocka_unit_test(rows_become_one),
		cmocka_unit_test(unseen_is_absent),
		cmocka_unit_test(a_boot_ends_at_its_marker),
		cmocka_unit_test(requests_of_a_disk),
		cmocka_unit_test(commands_of_a_target),
		cmocka_unit_test(parts_of_a_window),
		cmocka_unit_test(known_operations_are_counted_twice),
		cmocka_unit_test(xen_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
