// SPDX-License-Identifier: MIT
/* The operations of kernel-ops do what their names say, as the kernel's own counts of this process tell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <dirent.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/util.h"
#include "workloads/agent/kernel_ops.h"
#include "workloads/agent/turns.h"

#define BATCH 40
#define OPS   (OP_BATCHES * BATCH)

static const struct kernel_op *find_op(const char *name)
{
	const struct kernel_op *op = kernel_ops;

	while (op->name && strcmp(op->name, name) != 0)
		op++;
	assert_non_null(op->name);
	return op;
}

static unsigned open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static struct rusage usage_now(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u;
}

/* At most a tenth of them more, and what a thread's stack takes under a sanitizer. */
static void about(const char *what, long got, long want)
{
	if (got < want || got > want + want / 10 + 150)
		fail_msg("%s: %ld instead of %ld", what, got, want);
}

static void each_does_what_it_says(void **state)
{
	static const struct {
		const char *name;
		long faults; /* for each operation */
	} cases[] = {
		{"syscall", 0}, {"page_fault", 1},     {"mmap", 4},  {"pipe", 0},
		{"signal", 0},  {"context_switch", 0}, {"cpuid", 0}, {"thread_wake", 0},
	};

	(void)state;
	pin_self(sched_getcpu());
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned fds = open_fds();
		struct rusage before = usage_now(), after;
		struct op_result r = {0, 0};

		assert_int_equal(kernel_op_measure(find_op(cases[i].name), BATCH, "", NULL, &r), 0);
		after = usage_now();
		assert_int_equal(r.ops, OPS);
		assert_true(r.ns > 0);
		about(cases[i].name, after.ru_minflt - before.ru_minflt, cases[i].faults * OPS);
		assert_int_equal(open_fds(), fds);
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nobody is left */
	}
}

static long switches(void)
{
	struct rusage u = usage_now();

	return u.ru_nvcsw + u.ru_nivcsw;
}

static void hand_overs_switch(void **state)
{
	static const char *const names[] = {"context_switch", "thread_wake"};
	struct op_result r;

	(void)state;
	pin_self(sched_getcpu());
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		long before = switches();

		assert_int_equal(kernel_op_measure(find_op(names[i]), BATCH, "", NULL, &r), 0);
		/* Of two hand-overs one leaves this process, by waiting or because the other is woken. */
		assert_true(switches() - before >= OPS / 2);
	}
}

static void programs_end_well(void **state)
{
	static const struct {
		const char *program;
		int err;
	} cases[] = {{"/bin/true", 0}, {"/bin/false", -ECHILD}, {"/nonexistent", -ENOENT}};
	struct op_result r;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(kernel_op_measure(find_op("exec"), 2, cases[i].program, NULL, &r),
				 cases[i].err);
	assert_int_equal(kernel_op_measure(find_op("fork"), 2, "", NULL, &r), 0);
	assert_int_equal(kernel_op_measure(find_op("mprotect"), BATCH, "", NULL, &r), 0);
	assert_int_equal(r.ops, OPS);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void batches_are_even(void **state)
{
	(void)state;
	for (const struct kernel_op *op = kernel_ops; op->name; op++)
		assert_int_equal(op->batch % 2, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_does_what_it_says),
		cmocka_unit_test(hand_overs_switch),
		cmocka_unit_test(programs_end_well),
		cmocka_unit_test(batches_are_even),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
