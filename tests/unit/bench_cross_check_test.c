// SPDX-License-Identifier: MIT
/* The probes' totals against KVM's own statistics: what agrees, what is explained, what voids the sample. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bench/sample/measure.h"

static struct stats_page page;

static const struct {
	const char *name, *backend, *totals, *open, *close;
	unsigned vcpus;
	bool ok;
	const char *detail; /* NULL: no check is made */
	uint64_t opened, closed; /* when all was read; the window is from 10 to 1000 */
} cases[] = {
	{"equal", "svm", "{\"exits\": 100, \"pio\": 7, \"mmio\": 0, \"hlt\": 2, \"injected\": 3}",
	 "vcpu0/exits 10\nvcpu0/io_exits 1\nvcpu0/mmio_exits 5\nvcpu0/halt_exits 0\nvcpu0/irq_injections 1\n",
	 "vcpu0/exits 110\nvcpu0/io_exits 8\nvcpu0/mmio_exits 5\nvcpu0/halt_exits 2\nvcpu0/irq_injections 4\n",
	 1, true, "exits 100, io_exits 7, mmio_exits 0, halt_exits 2, irq_injections 3", 0, 0},
	{"one exit too many", "svm", "{\"exits\": 101}", "vcpu0/exits 0\n", "vcpu0/exits 100\n", 1,
	 false, "exits 101 (KVM 100)", 0, 0},
	{"one exit too few", "vmx", "{\"exits\": 99}", "vcpu0/exits 0\n", "vcpu0/exits 100\n", 1,
	 false, "exits 99 (KVM 100)", 0, 0},
	{"a kernel that leaves out its fast path", "vmx", "{\"exits\": 100, \"fast\": 30}",
	 "vcpu0/exits 0\n", "vcpu0/exits 70\n", 1, true,
	 "exits 100 (KVM 70: it leaves out 30 of its fast path)", 0, 0},
	{"left out, but not by as many", "vmx", "{\"exits\": 100, \"fast\": 30}", "vcpu0/exits 0\n",
	 "vcpu0/exits 71\n", 1, false, "exits 100 (KVM 71)", 0, 0},
	{"the other vCPU runs on while the statistics are read", "svm", "{\"exits\": 204}",
	 "vcpu0/exits 0\nvcpu1/exits 0\n", "vcpu0/exits 100\nvcpu1/exits 100\n", 2, true,
	 "exits 204 (KVM 200)", 0, 0},
	{"it runs on for a tenth of the window", "svm", "{\"exits\": 200}", "vcpu0/exits 0\nvcpu1/exits 0\n",
	 "vcpu0/exits 100\nvcpu1/exits 140\n", 2, true, "exits 200 (KVM 240)", 60, 1040},
	{"more than it could in that time", "svm", "{\"exits\": 200}", "vcpu0/exits 0\nvcpu1/exits 0\n",
	 "vcpu0/exits 100\nvcpu1/exits 150\n", 2, false, "exits 200 (KVM 250)", 60, 1040},
	{"one vCPU stands still, however long it takes", "svm", "{\"exits\": 200}", "vcpu0/exits 0\n",
	 "vcpu0/exits 201\n", 1, false, "exits 200 (KVM 201)", 60, 1040},
	{"a kernel without the statistic", "svm", "{\"exits\": 100}", "vcpu0/other 1\n",
	 "vcpu0/other 2\n", 1, true, NULL, 0, 0},
};

static void test_pairs(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *checks = json_array(), *totals = json_loads(cases[i].totals, 0, NULL), *c;
		struct observed o = {.stats = &page};

		assert_non_null(totals);
		o.probes = json_pack("{s:s,s:o,s:{s:i,s:i}}", "backend", cases[i].backend, "totals",
				     totals, "window", "open_ns", 10, "close_ns", 1000);
		page.n_vcpus = cases[i].vcpus;
		page.open_ns = cases[i].opened ? cases[i].opened : 10;
		page.closed_ns = cases[i].closed ? cases[i].closed : 1000;
		snprintf(page.kvm_open, sizeof(page.kvm_open), "%s", cases[i].open);
		snprintf(page.kvm_close, sizeof(page.kvm_close), "%s", cases[i].close);
		if (measure_cross_check(&o, checks) != cases[i].ok)
			fail_msg("%s", cases[i].name);
		c = json_array_get(checks, 0);
		if (cases[i].detail) {
			assert_string_equal(json_string_value(json_object_get(c, "detail")), cases[i].detail);
			assert_int_equal(json_is_true(json_object_get(c, "ok")), cases[i].ok);
		} else {
			assert_null(c);
		}
		json_decref(o.probes);
		json_decref(checks);
	}
}

/* No kvm_exit: the returns of KVM_RUN are counted, by us and by the VMM. */
static void test_userspace(void **state)
{
	static const struct {
		unsigned ours;
		bool ok;
	} want[] = {{50, true}, {48, true}, {47, false}, {53, false}};

	(void)state;
	memset(&page, 0, sizeof(page));
	page.n_vcpus = 1;
	page.at_open.vcpu[0].exits[2] = 10;
	page.at_close.vcpu[0].exits[2] = 60;
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		json_t *checks = json_array();
		struct observed o = {.stats = &page};

		o.probes = json_pack("{s:s,s:{s:i}}", "backend", "pvm", "totals", "exits", (int)want[i].ours);
		assert_int_equal(measure_cross_check(&o, checks), want[i].ok);
		json_decref(o.probes);
		json_decref(checks);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_userspace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
