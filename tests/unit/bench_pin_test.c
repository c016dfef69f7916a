// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bench/host/pin.h"

#define MAX_CPUS 8

struct pin_case {
	const char *spec;
	unsigned vcpus, cpus[MAX_CPUS];
	size_t n;
	int err;
	int vcpu0, vcpu1, io, peer; /* -1: nothing is pinned */
};

static void places(void **state)
{
	static const struct pin_case cases[] = {
		{NULL, 1, {1, 2, 3, 0}, 4, 0, 1, 2, 2, 3},
		{"auto", 2, {1, 2, 3, 0}, 4, 0, 1, 2, 3, 0},
		{"auto", 3, {1, 2, 3, 0}, 4, 0, 1, 2, 0, 0}, /* the vCPUs' servers share a core */
		{"auto", 1, {1, 0}, 2, 0, 1, 0, 0, 0},
		{"auto", 4, {1, 2, 3, 0}, 4, 0, -1, -1, -1, -1}, /* no core left for them */
		{"auto", 1, {0}, 1, 0, -1, -1, -1, -1},
		{"none", 1, {1, 2, 3, 0}, 4, 0, -1, -1, -1, -1},
		{"3", 1, {1, 2, 3, 0}, 4, 0, 3, 3, 3, 3},
		{"2,0-1", 1, {1, 2, 3, 0}, 4, 0, 2, 0, 0, 1},
		{"0-2", 2, {1, 2, 3, 0}, 4, 0, 0, 1, 2, 2},
		{"4", 1, {1, 2, 3, 0}, 4, -22, 0, 0, 0, 0},
		{"2-1", 1, {1, 2, 3, 0}, 4, -22, 0, 0, 0, 0},
		{"1,", 1, {1, 2, 3, 0}, 4, -22, 0, 0, 0, 0},
		{"all", 1, {1, 2, 3, 0}, 4, -22, 0, 0, 0, 0},
		{"", 1, {1, 2, 3, 0}, 4, -22, 0, 0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct pin_case *c = &cases[i];
		struct pin p;

		assert_int_equal(pin_make_of(&p, c->spec, c->vcpus, c->cpus, c->n), c->err);
		if (c->err)
			continue;
		assert_int_equal(p.n > 0, c->vcpu0 >= 0);
		if (!p.n)
			continue;
		assert_int_equal(pin_vcpu(&p, 0), c->vcpu0);
		assert_int_equal(pin_vcpu(&p, 1), c->vcpu1);
		assert_int_equal(pin_io(&p), c->io);
		assert_int_equal(pin_peer(&p), c->peer);
	}
}

static void thread_names(void **state)
{
	static const struct {
		const char *name, *vcpu_thread;
		int vcpu;
	} cases[] = {
		{"vcpu0", "vcpu", 0},	     {"vcpu11", "vcpu", 11},	{"CPU 3/KVM", "CPU ", 3},
		{"CPU 0/TCG", "CPU ", 0},    {"vmm", "vcpu", -1},	{"worker", "CPU ", -1},
		{"CPU", "CPU ", -1},	     {"CPU ", "CPU ", -1},	{"vcpu", "vcpu", -1},
		{"vcpu-1", "vcpu", -1},	     {"vcpu0", "CPU ", -1},	{"CPU 0/KVM", "vcpu", -1},
		{"kvm-vcpu-3", "kvm-vcpu-", 3},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(pin_thread_vcpu(cases[i].name, cases[i].vcpu_thread), cases[i].vcpu);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(places), cmocka_unit_test(thread_names)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
