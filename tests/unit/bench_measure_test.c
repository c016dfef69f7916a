// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/hist_json.h"
#include "bench/measure.h"

static json_t *vm(double bps, double late_ns, int hlt, int mmio)
{
	static struct hist h;
	json_t *s;

	hist_init(&h);
	hist_add(&h, (uint64_t)late_ns);
	s = json_pack(
		"{s:{s:f, s:f, s:f}, s:[{s:s, s:s, s:i, s:i}, {s:s, s:s, s:i, s:i}], s:{s:o}, s:[{s:s}], s:[{s:s, s:b}]}",
		"metrics", "throughput_bps", bps, "timer_late_ns", late_ns, "exits_per_packet", late_ns / 100,
		"exits", "reason", "hlt", "key", "", "count", hlt, "total_ns", 10 * hlt, "reason", "mmio",
		"key", "e1000 TDT", "count", mmio, "total_ns", 5 * mmio, "hists", "late", hist_to_json(&h),
		"threads", "name", "vcpu0", "checks", "name", "cross_check", "ok", 1);
	assert_non_null(s);
	return s;
}

static double number(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static void vms_of_one_sample(void **state)
{
	json_t *v[] = {vm(1e9, 100, 7, 3), vm(3e9, 300, 1, 4), vm(2e9, 200, 0, 5)};
	const json_t *m, *row;

	(void)state;
	measure_join_vms(v, 3);
	m = json_object_get(v[0], "metrics");
	assert_true(number(m, "throughput_bps") == 6e9);
	assert_true(number(m, "timer_late_ns") == 200);
	assert_true(number(m, "exits_per_packet") == 2);
	assert_int_equal(json_array_size(json_object_get(v[0], "exits")), 2);
	row = json_array_get(json_object_get(v[0], "exits"), 1);
	assert_string_equal(json_string_value(json_object_get(row, "key")), "e1000 TDT");
	assert_int_equal(number(row, "count"), 12);
	assert_int_equal(number(row, "total_ns"), 60);
	assert_int_equal(number(json_object_get(json_object_get(v[0], "hists"), "late"), "count"), 3);
	assert_int_equal(json_array_size(json_object_get(v[0], "checks")), 3);
	row = json_array_get(json_object_get(v[0], "threads"), 2);
	assert_int_equal(number(row, "vm"), 2);
	row = json_array_get(json_object_get(v[0], "vms"), 1);
	assert_true(number(json_object_get(row, "metrics"), "throughput_bps") == 3e9);
	for (size_t i = 0; i < ARRAY_SIZE(v); i++)
		json_decref(v[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(vms_of_one_sample)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
