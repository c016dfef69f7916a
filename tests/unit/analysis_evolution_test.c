// SPDX-License-Identifier: MIT
/* Which step of the evolution a record measures, and against which bare metal. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "analysis/evolution.h"
#include "base/util.h"

static json_t *record(const char *workload, const char *substrate, const char *mode, const char *vmm,
		      const char *paging, double syscall_ns)
{
	json_t *rec = json_pack("{s:s, s:s, s:s, s:s, s:s, s:{}, s:{s:{s:f, s:i}}}", "workload", workload,
				"substrate", substrate, "time_base", "virtual", "mode", mode, "vmm", vmm,
				"knobs", "summary", "op_ns.syscall", "median", syscall_ns, "n", 2);

	if (*paging)
		json_object_set_new(json_object_get(rec, "knobs"), "paging", json_string(paging));
	return rec;
}

static void records_have_their_steps(void **state)
{
	static const struct {
		const char *workload, *substrate, *mode, *vmm, *paging, *step;
	} cases[] = {
		{"kernel-ops", "lab", "host", "", "", "bare metal (AMD)"},
		{"kernel-ops", "lab", "host", "none", "", "bare metal (AMD)"},
		{"kernel-ops", "lab-intel", "host", "", "", "bare metal (Intel)"},
		{"kernel-ops", "lab", "container", "", "", "container"},
		{"kernel-ops", "lab", "", "qemu:accel=tcg", "", "binary translation (TCG)"},
		{"kernel-ops", "lab", "", "builtin", "", "KVM, nested paging (AMD)"},
		{"kernel-ops", "lab-xen", "", "xen:pv", "", "Xen PV (AMD)"},
		{"kernel-ops", "lab-xen", "", "xen:pvh", "", "Xen PVH, nested paging (AMD)"},
		{"kernel-ops", "lab-xen", "", "xen:pvh", "shadow", "Xen PVH, shadow paging (AMD)"},
		{"kernel-ops", "lab-intel", "", "builtin", "shadow", "KVM, shadow paging (Intel)"},
		{"kernel-ops", "lab-intel", "", "builtin", "nested", "KVM, nested paging (Intel)"},
		/* No step: another VMM, paging that nobody said, another machine or workload. */
		{"kernel-ops", "lab", "", "qemu", "", NULL},
		{"kernel-ops", "lab", "", "builtin", "shadow", NULL},
		{"kernel-ops", "lab-intel", "", "builtin", "", NULL},
		{"kernel-ops", "host", "host", "", "", NULL},
		{"memory", "lab", "host", "", "", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *rec = record(cases[i].workload, cases[i].substrate, cases[i].mode, cases[i].vmm,
				     cases[i].paging, 1);
		const struct evolution_step *step = evolution_step_of(rec);

		assert_int_equal(!!step, !!cases[i].step);
		if (step)
			assert_string_equal(step->name, cases[i].step);
		json_decref(rec);
	}
}

static void who_looks_on_takes_time_and_who_does_not_counts_nothing(void **state)
{
	static const struct {
		const char *observer;
		bool times, counts;
	} cases[] = {{NULL, true, true}, {"off", true, false}, {"probes", false, true}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *rec = record("kernel-ops", "lab-xen", "", "xen:pv", "", 1);

		if (cases[i].observer)
			json_object_set_new(json_object_get(rec, "knobs"), "observer",
					    json_string(cases[i].observer));
		assert_int_equal(evolution_has_times(rec), cases[i].times);
		assert_int_equal(evolution_has_counts(rec), cases[i].counts);
		json_decref(rec);
	}
}

static void each_machine_has_its_own_bare_metal(void **state)
{
	json_t *recs[] = {
		record("kernel-ops", "lab", "host", "", "", 100),
		record("kernel-ops", "lab-intel", "host", "", "", 500),
		record("kernel-ops", "lab", "", "builtin", "", 150),
		record("kernel-ops", "lab-intel", "", "builtin", "shadow", 1000),
		record("kernel-ops", "host", "container", "", "", 7),
		record("kernel-ops", "lab-xen", "", "xen:pv", "", 300),
	};

	(void)state;
	assert_ptr_equal(evolution_base(recs[2], recs, ARRAY_SIZE(recs)), recs[0]);
	assert_ptr_equal(evolution_base(recs[3], recs, ARRAY_SIZE(recs)), recs[1]);
	assert_null(evolution_base(recs[4], recs, ARRAY_SIZE(recs)));
	assert_ptr_equal(evolution_base(recs[5], recs, ARRAY_SIZE(recs)), recs[0]);
	assert_true(evolution_ratio(recs[2], recs[0], "op_ns.syscall") == 1.5);
	assert_true(evolution_ratio(recs[3], recs[1], "op_ns.syscall") == 2);
	assert_true(isnan(evolution_ratio(recs[3], NULL, "op_ns.syscall")));
	assert_true(isnan(evolution_ratio(recs[3], recs[1], "op_ns.fork")));
	/* Emulated time does not compare with virtual time. */
	json_object_set_new(recs[2], "time_base", json_string("emulated"));
	assert_null(evolution_base(recs[2], recs, ARRAY_SIZE(recs)));
	for (size_t i = 0; i < ARRAY_SIZE(recs); i++)
		json_decref(recs[i]);
}

static void operations_are_those_of_the_metrics(void **state)
{
	size_t n = 0;

	(void)state;
	assert_string_equal(evolution_operation(evolution_metric(0)), "syscall");
	while (evolution_metric(n))
		n++;
	assert_string_equal(evolution_operation(evolution_metric(n - 1)), "cpuid");
	assert_int_equal(n, 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_have_their_steps),
		cmocka_unit_test(who_looks_on_takes_time_and_who_does_not_counts_nothing),
		cmocka_unit_test(each_machine_has_its_own_bare_metal),
		cmocka_unit_test(operations_are_those_of_the_metrics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
