// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "results/record.h"
#include "workloads/agent/agent.h"
#include "workloads/table.h"

static int refuse(const struct workload_job *job)
{
	(void)job;
	return -EINVAL;
}

static void spoil(struct workload_job *job)
{
	strcpy(job->peer, "two words"); /* would become two keys on the line */
}

static void table_is_sound(void **state)
{
	(void)state;
	assert_int_equal(workloads_validate(), 0);
	assert_int_equal(workload_validate_row(&workload_skeleton), 0);
	assert_null(workload_find("skeleton"));
	assert_null(workload_find("net"));
	assert_ptr_equal(workload_find("net-throughput"), &workload_net_throughput);
}

static void bad_rows(void **state)
{
#define GOOD .name = "x", .summary = "s", .guests = GUEST_LINUX, .metrics = "ops"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
	static const struct workload rows[] = {
		{GOOD, .name = NULL},
		{GOOD, .name = ""},
		{GOOD, .name = "Net"},
		{GOOD, .name = "a-name-that-is-far-too-long-for-a-job"},
		{GOOD, .summary = NULL},
		{GOOD, .summary = "Ends like a sentence."},
		{GOOD, .summary = "two\nlines"},
		{GOOD, .guests = 0},
		{GOOD, .guests = 1 << 7},
		{GOOD, .metrics = ""},
		{GOOD, .flags = WORKLOAD_PEER},
		{GOOD, .flags = WORKLOAD_WHOLE_BOOT, .duration_ns = 1},
		{GOOD, .check = refuse},
		{GOOD, .defaults = spoil},
	};
	static const struct workload good = {GOOD};
#pragma GCC diagnostic pop

	(void)state;
	assert_int_equal(workload_validate_row(&good), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(workload_validate_row(&rows[i]), -EINVAL);
}

/* What a row promises to Linux guests the agent can do; what it shows the metric table explains. */
static void rows_have_their_other_halves(void **state)
{
	(void)state;
	for (const struct workload *const *w = workload_table; *w; w++) {
		char words[256], *save = NULL;

		if ((*w)->guests & (GUEST_LINUX | GUEST_NONE))
			assert_non_null(agent_workload_find((*w)->name));
		assert_true(strlen((*w)->metrics) < sizeof(words));
		strcpy(words, (*w)->metrics);
		for (char *m = strtok_r(words, " ", &save); m; m = strtok_r(NULL, " ", &save)) {
			if (!metric_find(m))
				fail_msg("%s: metric %s is not in results/metrics.c", (*w)->name,
					 m);
		}
	}
}

static void checks_refuse_nonsense(void **state)
{
	static const char *const bad[] = {
		"workload=net-throughput streams=0",
		"workload=net-throughput streams=65",
		"workload=net-throughput msg_size=2000000",
		"workload=net-throughput tool=iperf3 work=5",
		"workload=net-latency streams=2",
		"workload=net-latency tool=iperf3",
		"workload=net-pps msg_size=17",
		"workload=net-pps msg_size=1473",
		"workload=net-pps work=5",
		"workload=net-throughput tool=fio",
		"workload=blk-iops msg_size=1000",
		"workload=blk-iops msg_size=33554432",
		"workload=blk-iops depth=129",
		"workload=blk-iops write_pct=101",
		"workload=blk-sync write_pct=50",
		"workload=blk-latency streams=2",
		"workload=blk-iops tool=iperf3",
		"workload=blk-iops tool=fio work=5",
		"workload=blk-discard tool=fio",
		"workload=timer period_ns=10",
		"workload=memory mem_bytes=4096",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct workload_job job;
		const struct workload *w;

		assert_int_equal(job_parse(&job, bad[i], NULL), 0);
		w = workload_find(job.workload);
		assert_non_null(w);
		if (w->check(&job) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
	}
}

/* The rows of rows.h are the workloads' own names, and the guest's agent has a job for each. */
static void rows_are_named_as_the_workloads(void **state)
{
#define X(symbol, name, ...) {&workload_##symbol, name},
	static const struct {
		const struct workload *w;
		const char *name;
	} rows[] = {
#include "workloads/rows.h"
	};
#undef X

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_string_equal(rows[i].w->name, rows[i].name);
		assert_ptr_equal(workload_table[i], rows[i].w);
	}
	assert_null(workload_table[ARRAY_SIZE(rows)]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_named_as_the_workloads),
		cmocka_unit_test(table_is_sound),
		cmocka_unit_test(bad_rows),
		cmocka_unit_test(rows_have_their_other_halves),
		cmocka_unit_test(checks_refuse_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
