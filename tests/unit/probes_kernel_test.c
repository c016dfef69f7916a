// SPDX-License-Identifier: MIT
/* What the running kernel's type information says of things that every kernel has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <bpf/btf.h>
#include <cmocka.h>

#include "base/util.h"
#include "probes/hooks.h"
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

/* As libbpf finds it, which looks at one type after the other. */
static void test_hooks(void **state)
{
	static const struct {
		const char *name, *type;
		bool tracepoint;
	} cases[] = {
		{"sched_switch", "btf_trace_sched_switch", true},
		{"sched_process_exit", "btf_trace_sched_process_exit", true},
		{"eventfd_signal", "eventfd_signal", false},
		{"no_such_function", "no_such_function", false},
		{"no_such_tracepoint", "btf_trace_no_such_tracepoint", true},
		{"", "", false},
	};
	struct kernel *k = kernel_open();
	struct btf *types = btf__load_vmlinux_btf();

	(void)state;
	if (!k || !types)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int id = btf__find_by_name_kind(types, cases[i].type,
						cases[i].tracepoint ? BTF_KIND_TYPEDEF : BTF_KIND_FUNC);
		struct kernel_hook hook;

		assert_int_equal(kernel_hook(k, cases[i].name, cases[i].tracepoint, &hook), id > 0);
		if (id > 0)
			assert_int_equal(hook.type, id);
		assert_int_equal(hook.types_fd, 0);
	}
	btf__free(types);
	kernel_close(k);
}

/* As a run does, sample by sample: a libbpf that has lost its last handler uses what it has freed. */
static void test_hooks_again(void **state)
{
	struct kernel *k = kernel_open();
	struct hooks h;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(hooks_begin(&h, k), 0);
		assert_int_equal(h.n, HOOK_KINDS);
		hooks_end(&h);
	}
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

/* Of the kernel's own, as of a module's: by its name, and by what its struct has. */
static void test_percpu_var(void **state)
{
	struct kernel *k = kernel_open();
	struct kernel_var var;

	(void)state;
	if (!k)
		skip();
	assert_true(kernel_percpu_var(k, "no_such_module", "runqueues", "nr_running", &var));
	assert_int_not_equal(var.id, 0);
	assert_int_equal(var.types_fd, 0);
	assert_false(kernel_percpu_var(k, "no_such_module", "runqueues", "no_such_member", &var));
	assert_false(kernel_percpu_var(k, "no_such_module", "no_such_variable", "nr_running", &var));
	kernel_close(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_what_there_is),
		cmocka_unit_test(test_hooks),
		cmocka_unit_test(test_hooks_again),
		cmocka_unit_test(test_preempt_count),
		cmocka_unit_test(test_percpu_var),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
