// SPDX-License-Identifier: MIT
/*
 * Filters of system calls, run as the kernel runs them: what is let through, and what of it the kernel can
 * answer without running the filter each time, because no argument is looked at (since Linux 5.11).
 */
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <cmocka.h>

#include "base/call_filter.h"

struct verdict {
	uint32_t action;
	bool constant; /* number and architecture decide alone */
	unsigned steps;
};

static uint32_t load_word(const struct seccomp_data *data, uint32_t at)
{
	uint32_t v;

	assert_true(at % 4 == 0 && at + 4 <= sizeof(*data));
	memcpy(&v, (const char *)data + at, 4);
	return v;
}

static struct verdict run_filter(const struct call_filter *f, uint32_t call, uint64_t arg1)
{
	struct seccomp_data data = {.nr = (int)call, .arch = AUDIT_ARCH_X86_64, .args = {7, arg1, 9}};
	struct verdict v = {.constant = true};
	uint32_t a = 0;

	for (unsigned pc = 0; pc < f->n; pc++) {
		const struct sock_filter *i = &f->code[pc];

		v.steps++;
		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			a = load_word(&data, i->k);
			v.constant &= i->k < offsetof(struct seccomp_data, instruction_pointer);
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += a >= i->k ? i->jt : i->jf;
			break;
		case BPF_RET | BPF_K:
			v.action = i->k;
			return v;
		default:
			fail_msg("instruction 0x%x", i->code);
		}
	}
	fail_msg("no end");
	return v;
}

static void make_filter(struct call_filter *f)
{
	static const uint32_t requests[] = {100, 200, 300};

	call_filter_begin(f);
	call_filter_allow_with(f, SYS_ioctl, 1, requests, ARRAY_SIZE(requests));
	call_filter_allow(f, SYS_read);
	call_filter_allow(f, SYS_write);
	call_filter_end(f);
}

static void verdicts(void **state)
{
	static const struct {
		uint32_t call;
		uint64_t arg;
		uint32_t action;
		bool constant;
	} cases[] = {
		{SYS_read, 0, SECCOMP_RET_ALLOW, true},
		{SYS_write, 100, SECCOMP_RET_ALLOW, true},
		{SYS_openat, 0, SECCOMP_RET_TRAP, true},
		{SYS_ioctl, 100, SECCOMP_RET_ALLOW, false},
		{SYS_ioctl, 300, SECCOMP_RET_ALLOW, false},
		{SYS_ioctl, 1ull << 32 | 200, SECCOMP_RET_ALLOW, false}, /* the kernel takes the lower half */
		{SYS_ioctl, 101, SECCOMP_RET_TRAP, false},
		{SYS_ioctl, 0, SECCOMP_RET_TRAP, false},
		{0x40000000 | SYS_read, 0, SECCOMP_RET_TRAP, true}, /* x32 */
	};
	struct call_filter f;

	(void)state;
	make_filter(&f);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct verdict v = run_filter(&f, cases[i].call, cases[i].arg);

		assert_int_equal(v.action, cases[i].action);
		assert_int_equal(v.constant, cases[i].constant);
	}
}

/* An ioctl's filter runs at each call: the first request of the list is soon found. */
static void the_first_request_is_cheap(void **state)
{
	struct call_filter f;

	(void)state;
	make_filter(&f);
	assert_true(run_filter(&f, SYS_ioctl, 100).steps <= 7);
}

/*
 * As many calls as a thread of ours has, given in no order, and every number that a kernel may have: each is
 * judged rightly and, because the kernel tries them all when the filter is installed, in few steps.
 */
static void many_calls(void **state)
{
	enum { STEP = 7, CALLS = 61, NUMBERS = 512 };
	struct call_filter f;

	(void)state;
	for (unsigned n = 0; n <= CALLS; n++) {
		call_filter_begin(&f);
		for (unsigned i = 0; i < n; i++)
			call_filter_allow(&f, (i * 17 % CALLS) * STEP);
		call_filter_end(&f);
		for (unsigned call = 0; call < NUMBERS; call++) {
			bool allowed = false;
			struct verdict v = run_filter(&f, call, 0);

			for (unsigned i = 0; i < n; i++)
				allowed |= call == (i * 17 % CALLS) * STEP;
			assert_int_equal(v.action, allowed ? SECCOMP_RET_ALLOW : SECCOMP_RET_TRAP);
			assert_true(v.constant && v.steps <= 13);
		}
	}
}

static void another_architecture(void **state)
{
	struct call_filter f;

	(void)state;
	make_filter(&f);
	assert_int_equal(f.code[0].k, offsetof(struct seccomp_data, arch));
	assert_int_equal(f.code[1].k, AUDIT_ARCH_X86_64);
	assert_int_equal(f.code[2].code, BPF_RET | BPF_K);
	assert_int_equal(f.code[2].k, SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(f.code[1].jt, 1);
	assert_int_equal(f.code[1].jf, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts),
		cmocka_unit_test(the_first_request_is_cheap),
		cmocka_unit_test(many_calls),
		cmocka_unit_test(another_architecture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
