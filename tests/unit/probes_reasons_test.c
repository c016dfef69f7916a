// SPDX-License-Identifier: MIT
/* Names of exit reasons and keys, and what an address belongs to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "probes/ghcb_key.h"
#include "probes/names.h"
#include "probes/reasons.h"
#include "probes/tdx_key.h"
#include "probes/vmx_key.h"

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
		{BACKEND_VMX, 48, "ept_violation", KIND_MMIO},
		{BACKEND_SVM, 0xa6, "idle_halt", KIND_HLT},
		{BACKEND_SVM, 0x8c, "mwait_cond", KIND_PLAIN},
		{BACKEND_SVM, 0x8e, "rdpru", KIND_PLAIN},
		{BACKEND_VMX, 76, "seamcall", KIND_PLAIN},
		{BACKEND_VMX, 85, "msr_write_imm", KIND_MSR},
		{BACKEND_VMX, 49, "ept_misconfig", KIND_MMIO},
		{BACKEND_SVM, 0x80000002, "vmgexit_mmio_write", KIND_MMIO},
		/* A guest's own guest's; what has those bits by itself is not. */
		{BACKEND_SVM, 0x7b | REASON_NESTED, "nested io", KIND_PIO},
		{BACKEND_SVM, 0x78 | REASON_NESTED, "nested hlt", KIND_PLAIN},
		{BACKEND_VMX, 10 | REASON_NESTED, "nested cpuid", KIND_PLAIN},
		{BACKEND_SVM, 0x1f7 | REASON_NESTED, "nested 0x1f7", KIND_PLAIN},
		{BACKEND_SVM, 0xf0000000, "0xf0000000", KIND_PLAIN},
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

/* SDM volume 3, tables of the exit qualification; the texts are what rows show. */
static void test_vmx_qualifications(void **state)
{
	static const struct {
		uint32_t reason;
		uint64_t qualification;
		const char *text, *device;
	} cases[] = {
		{30, 0x03f80000, "out 0x3f8", "COM1"},
		{30, 0x03fd0008, "in 0x3fd", "COM1"},
		{28, 0x03, "mov to cr3", NULL},
		{28, 0x18, "mov from cr8", NULL},
		{28, 0x20, "clts", NULL},
		{28, 0x30, "lmsw", NULL},
		{28, 0x00, "mov to cr0", NULL},
		{28, 0x0703, "mov to cr3", NULL},
		{29, 0x07, "mov to dr7", NULL},
		{29, 0x10, "mov from dr0", NULL},
		{44, 0x00b0, "read 0xb0", "LAPIC EOI"},
		{44, 0x10b0, "write 0xb0", "LAPIC EOI"},
		{44, 0x1300, "write 0x300", "LAPIC ICR"},
		{56, 0x380, "write 0x380", "LAPIC timer start"},
		{45, 0x31, "#49", NULL},
		{84, 0x6e0, "0x6e0", "TSC_DEADLINE"},
		{85, 0x830, "0x830", "x2APIC ICR"},
	};
	char device[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t key = vmx_key_of(cases[i].reason, cases[i].qualification);
		bool named = names_find(NULL, 0, BACKEND_VMX, cases[i].reason, key, device, sizeof(device));

		assert_true(vmx_has_qualification(cases[i].reason));
		assert_string_equal(key_text(BACKEND_VMX, cases[i].reason, key, false), cases[i].text);
		assert_int_equal(named, cases[i].device != NULL);
		if (named)
			assert_string_equal(device, cases[i].device);
	}
	assert_false(vmx_has_qualification(10));
}

/* The page of a guest that has set what the specification asks for, in which members are then hidden. */
static struct ghcb_exit ghcb_page(uint64_t code, uint64_t info1, uint64_t rax, uint64_t rcx)
{
	struct ghcb_exit g = {.block = {.code = code, .info1 = info1}, .rax = rax, .rcx = rcx};

	memset(g.block.valid, 0xff, sizeof(g.block.valid));
	return g;
}

static void ghcb_hide(struct ghcb_exit *g, unsigned offset)
{
	g->block.valid[offset / 64] &= (uint8_t)~(1u << offset / 8 % 8);
}

/* GHCB specification 2.03, tables 3 to 7. */
static void test_vmgexits(void **state)
{
	static const struct {
		uint64_t code, info1, rax, rcx;
		unsigned hidden; /* 0: nothing */
		uint32_t reason;
		const char *text;
	} cases[] = {
		{0x7b, 0x03f80010, 0x55, 0, 0, 0x7b, "out 0x3f8"},
		{0x7b, 0x03fd0011, 0, 0, 0, 0x7b, "in 0x3fd"},
		{0x7c, 1, 0, 0xc0000080, 0, 0x7c, "write 0xc0000080"},
		{0x7c, 0, 0, 0x10, 0, 0x7c, "read 0x10"},
		{0x81, 0, 5, 0, 0, 0x81, "5"},
		{0x72, 0, 0, 0, 0, 0x72, ""},
		{0x80000001, 0xfee00020, 0, 0, 0, 0x80000001, "0xfee00020"},
		{0x80000002, 0xfee000b0, 0, 0, 0, 0x80000002, "0xfee000b0"},
		{0x80000010, 0x1234, 0, 0, 0, 0x80000010, ""},
		/* What is not valid is what an earlier VMGEXIT left there. */
		{0x7b, 0x03f80010, 0, 0, GHCB_CODE, 0x403, ""},
		{0x7b, 0x03f80010, 0, 0, GHCB_INFO1, 0x7b, "out 0x0"},
		{0x7c, 0, 0, 0x10, GHCB_RCX, 0x7c, "read 0x0"},
		{0x81, 0, 5, 0, GHCB_RAX, 0x81, "0"},
		{0x80000001, 0xfee00020, 0, 0, GHCB_INFO1, 0x80000001, ""},
		/* No number of an exit, and one that would pass for a nested one. */
		{0x10000007bull, 0x03f80010, 0, 0, 0, 0x403, ""},
		{0x7b | REASON_NESTED, 0, 0, 0, 0, 0x403, ""},
	};

	(void)state;
	/* Each bit stands for eight bytes of the page: the code is number 114. */
	assert_int_equal(GHCB_CODE / 8, 114);
	assert_int_equal(offsetof(struct ghcb_block, valid), 0x3f0 - GHCB_BLOCK);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ghcb_exit g =
			ghcb_page(cases[i].code, cases[i].info1, cases[i].rax, cases[i].rcx);

		if (cases[i].hidden)
			ghcb_hide(&g, cases[i].hidden);
		assert_int_equal(ghcb_reason(&g), cases[i].reason);
		assert_string_equal(key_text(BACKEND_SVM, ghcb_reason(&g), ghcb_key(&g), false),
				    cases[i].text);
	}
}

/* GHCI specification 1.5, 3.9: <Instruction.IO>. */
static void test_tdx_calls(void **state)
{
	static const struct {
		uint32_t reason;
		struct tdx_call call;
		const char *text;
	} cases[] = {
		{30, {.r12 = 1, .r13 = 1, .r14 = 0x3f8}, "out 0x3f8"},
		{30, {.r12 = 1, .r13 = 0, .r14 = 0x3fd}, "in 0x3fd"},
		{30, {.r12 = 4, .r13 = 1, .r14 = 0xabc0cf8}, "out 0xcf8"},
		{28, {.r14 = 3}, ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t key = tdx_key_of(cases[i].reason, &cases[i].call);

		assert_string_equal(key_text(BACKEND_VMX, cases[i].reason, key, false), cases[i].text);
	}
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
		/* The first access to a page of registers, and one under shadow paging. */
		{BACKEND_VMX, 48, 0xfee000b0, false, "0xfee000b0", "LAPIC EOI"},
		{BACKEND_VMX, 48, KEY_NONE, false, "", NULL},
		{BACKEND_VMX, 0, 0xfee000b0, false, "0xfee000b0", "LAPIC EOI"},
		{BACKEND_VMX, 0, 14, false, "#14", NULL},
		{BACKEND_SVM, 0x402, KEY_SOME | KEY_WRITE | 0x300, false, "write 0x300", "LAPIC ICR"},
		{BACKEND_SVM, 0x400, 0xfee000b0, false, "0xfee000b0", "LAPIC EOI"},
		{BACKEND_SVM, 0x400, 0xfee00fff, false, "0xfee00fff", "LAPIC"},
		{BACKEND_SVM, 0x400, 0xfee01000, false, "0xfee01000", NULL},
		{BACKEND_SVM, 0x400, KEY_NONE, false, "", NULL},
		{BACKEND_SVM, 0x400, KEY_OTHER, false, "other", NULL},
		{BACKEND_SVM, 0x81, 5, false, "5", NULL},
		{BACKEND_SVM, 0x81, KEY_XEN | 4 << 16 | 32, false, "event_channel_op send", NULL},
		{BACKEND_VMX, 18, KEY_XEN | 1 << 16 | 29, false, "sched_op block", NULL},
		{BACKEND_VMX, 18, KEY_XEN | 99ull << 16 | 24, false, "vcpu_op 99", NULL},
		{BACKEND_VMX, 18, KEY_XEN | 0xffffull << 16 | 24, false, "vcpu_op", NULL}, /* not recorded */
		{BACKEND_VMX, 18, KEY_XEN | 7 << 16 | 17, false, "xen_version", NULL},
		{BACKEND_SVM, 0x81, KEY_XEN | 3 << 16 | 12, false, "memory_op populate_physmap", NULL},
		{BACKEND_SVM, 0x81, KEY_XEN | 2 << 16 | 12, false, "memory_op 2", NULL},
		{BACKEND_SVM, 0x81, KEY_XEN | 77, false, "xen 77", NULL},
		{BACKEND_SVM, 0x81, KEY_XEN | 0xffff, false, "xen 65535", NULL},
		{BACKEND_SVM, 0x81, KEY_XEN | 0, false, "set_trap_table", NULL},
		{BACKEND_SVM, 0x81, KEY_XEN | 11, false, "xen 11", NULL},
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
		cmocka_unit_test(test_vmx_qualifications),
		cmocka_unit_test(test_vmgexits),
		cmocka_unit_test(test_tdx_calls),
		cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
