// SPDX-License-Identifier: MIT
/* Names of exit reasons and keys, and what an address belongs to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "probes/names.h"
#include "probes/reasons.h"

static void test_names(void **state)
{
	static const struct {
		enum probe_backend backend;
		uint32_t code;
		const char *name;
		enum reason_kind kind;
	} cases[] = {
		{BACKEND_SVM, 0x72, "cpuid", KIND_PLAIN},
		{BACKEND_SVM, 0x78, "hlt", KIND_HLT},
		{BACKEND_SVM, 0x7b, "io", KIND_PIO},
		{BACKEND_SVM, 0x7c, "msr", KIND_MSR},
		{BACKEND_SVM, 0x81, "vmmcall", KIND_HYPERCALL},
		{BACKEND_SVM, 0x400, "npf", KIND_MMIO},
		{BACKEND_SVM, 0xffffffff, "invalid_guest_state", KIND_PLAIN},
		{BACKEND_VMX, 0, "exception_nmi", KIND_VECTOR},
		{BACKEND_VMX, 12, "hlt", KIND_HLT},
		{BACKEND_VMX, 30, "io_instruction", KIND_PIO},
		{BACKEND_VMX, 32, "msr_write", KIND_MSR},
		{BACKEND_VMX, 48, "ept_violation", KIND_PLAIN},
		{BACKEND_VMX, 49, "ept_misconfig", KIND_MMIO},
		{BACKEND_OTHER, 2, "io", KIND_PIO},
		{BACKEND_OTHER, 6, "mmio", KIND_MMIO},
		/* A code that nobody has named yet keeps its number. */
		{BACKEND_SVM, 0x1f7, "0x1f7", KIND_PLAIN},
		{BACKEND_VMX, 200, "0xc8", KIND_PLAIN},
		{BACKEND_OTHER, 99, "0x63", KIND_PLAIN},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_string_equal(reason_name(cases[i].backend, cases[i].code), cases[i].name);
		assert_int_equal(reason_kind(cases[i].backend, cases[i].code), cases[i].kind);
	}
}

/* Every named code is found again by its name: no name stands twice in a table. */
static void test_names_are_unique(void **state)
{
	(void)state;
	for (int backend = BACKEND_SVM; backend <= BACKEND_OTHER; backend++)
		for (uint32_t code = 0; code < 0x500; code++) {
			const char *name = reason_name((enum probe_backend)backend, code);

			if (strncmp(name, "0x", 2))
				assert_int_equal(reason_by_name((enum probe_backend)backend, name), code);
		}
	assert_int_equal(reason_by_name(BACKEND_SVM, "no such thing"), -1);
}

static void test_keys(void **state)
{
	static const struct {
		enum probe_backend backend;
		uint32_t reason;
		uint64_t key;
		bool rip;
		const char *text, *device;
	} cases[] = {
		{BACKEND_SVM, 0x7b, 0x3f8, false, "out 0x3f8", "COM1"},
		{BACKEND_SVM, 0x7b, 0x3fd | KEY_IN, false, "in 0x3fd", "COM1"},
		{BACKEND_VMX, 30, 0xe10, false, "out 0xe10", "window marker"},
		{BACKEND_SVM, 0x7b, 0xc100, false, "out 0xc100", NULL},
		{BACKEND_SVM, 0x7c, 0x6e0 | KEY_WRITE, false, "write 0x6e0", "TSC_DEADLINE"},
		{BACKEND_SVM, 0x7c, 0x10, false, "read 0x10", "TSC"},
		{BACKEND_VMX, 32, 0x830, false, "0x830", "x2APIC ICR"},
		{BACKEND_SVM, 0x400, 0xfee000b0, false, "0xfee000b0", "LAPIC EOI"},
		{BACKEND_SVM, 0x400, 0xfee00fff, false, "0xfee00fff", "LAPIC"},
		{BACKEND_SVM, 0x400, 0xfee01000, false, "0xfee01000", NULL},
		{BACKEND_SVM, 0x400, KEY_NONE, false, "", NULL},
		{BACKEND_SVM, 0x400, KEY_OTHER, false, "other", NULL},
		{BACKEND_SVM, 0x81, 5, false, "5", NULL},
		{BACKEND_VMX, 0, 14, false, "#14", NULL},
		{BACKEND_SVM, 0x72, 0, false, "", NULL},
		{BACKEND_SVM, 0x72, 0xffffffff81000000, true, "0xffffffff81000000", NULL},
	};
	struct names *n = names_new(true);
	char device[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool named = names_find(n, 1 << 30, cases[i].backend, cases[i].reason, cases[i].key, device,
					sizeof(device));

		assert_string_equal(key_text(cases[i].backend, cases[i].reason, cases[i].key, cases[i].rip),
				    cases[i].text);
		if (cases[i].rip)
			continue;
		assert_int_equal(named, cases[i].device != NULL);
		if (named)
			assert_string_equal(device, cases[i].device);
	}
	names_free(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_names_are_unique),
		cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
