// SPDX-License-Identifier: MIT
/* What the running kernel's type information says of things that every kernel has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "probes/kernel.h"

static void test_arguments(void **state)
{
	struct kernel *k = kernel_open();

	(void)state;
	if (!k)
		skip(); /* no type information */
	assert_int_equal(kernel_tracepoint_arg(k, "sched_switch", "task_struct"), 1); /* after preempt */
	assert_int_equal(kernel_tracepoint_arg(k, "sched_process_exit", "task_struct"), 0);
	assert_int_equal(kernel_tracepoint_arg(k, "sched_switch", "no_such_struct"), -1);
	assert_int_equal(kernel_tracepoint_arg(k, "no_such_tracepoint", "task_struct"), -1);
	kernel_close(k);
}

static void test_what_there_is(void **state)
{
	struct kernel *k = kernel_open();

	(void)state;
	if (!k)
		skip();
	assert_true(kernel_has_tracepoint(k, "sched_switch"));
	assert_false(kernel_has_tracepoint(k, "no_such_tracepoint"));
	assert_false(kernel_can_hook(k, "no_such_function"));
	kernel_close(k);
}

/* Every x86 kernel of ours has it, under one of two names. */
static void test_preempt_count(void **state)
{
	struct kernel *k = kernel_open();
	long from = 0;

	(void)state;
	if (!k)
		skip();
	assert_true(kernel_preempt_count(k, &from));
	assert_int_not_equal(from, 0);
	kernel_close(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_what_there_is),
		cmocka_unit_test(test_preempt_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
