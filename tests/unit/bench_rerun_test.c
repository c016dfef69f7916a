// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/strbuf.h"
#include "bench/plan/rerun.h"
#include "tests/unit/fake_record.h"

/* Everything after the program's own path, joined by blanks. */
static char *command_of(const json_t *rec, uint64_t reps, const char *store)
{
	struct strbuf sb = STRBUF_INIT;
	struct strlist run = rerun_argv(rec, reps, store);

	for (size_t i = 1; i < run.n; i++)
		strbuf_addf(&sb, "%s%s", sb.len ? " " : "", run.v[i]);
	strlist_free(&run);
	return strbuf_take(&sb);
}

static void the_command_repeats_the_cell(void **state)
{
	static const struct {
		const char *patch;
		uint64_t reps;
		const char *want;
	} cases[] = {
		{"{}", 0,
		 "run net-throughput --mode=virtio --vmm=builtin --guest=linux --on=host --reps=2 --json"},
		{"{\"vmm\": \"qemu:accel=tcg\", \"knobs\": {\"ring\": \"packed\", \"tool\": "
		 "\"iperf3\"},"
		 " \"params\": {\"duration_ns\": 8000000000, \"work\": 0, \"tool\": \"iperf3\", "
		 "\"ipv6\": true}}",
		 20,
		 "run net-throughput --mode=virtio --vmm=qemu:accel=tcg --guest=linux --on=host "
		 "--set=ring=packed "
		 "--set=tool=iperf3 --duration=8000000000ns --ipv6 --reps=20 --json"},
		{"{\"workload\": \"compute\", \"mode\": \"host\", \"vmm\": \"\", \"guest\": "
		 "\"none\", \"substrate\": \"lab\","
		 " \"time_base\": \"virtual\", \"params\": {\"duration_ns\": 5, \"work\": 1000, "
		 "\"tool\": \"engine\"}}",
		 1, "run compute --mode=host --on=lab --deterministic --work=1000 --reps=1 --json"},
		{"{\"params\": {\"work\": 64, \"topology\": \"wire\", \"nic\": \"eth1\", \"pin\": \"none\","
		 " \"kernel\": \"newer\", \"tune\": true, \"no_probes\": true, \"ipv6\": false}}",
		 3,
		 "run net-throughput --mode=virtio --vmm=builtin --guest=linux --on=host --work=64 --topology=wire "
		 "--nic=eth1 --kernel=newer --pin=none --tune --no-probes --reps=3 --json"},
		{"{\"mode\": \"sriov\", \"params\": {\"work\": 64, \"topology\": \"wire\", \"pin\": \"auto\","
		 " \"vf\": \"0000:01:10.0\", \"unsafe_interrupts\": true}}",
		 3,
		 "run net-throughput --mode=sriov --vmm=builtin --guest=linux --on=host --work=64 --vf=0000:01:10.0 "
		 "--allow-unsafe-interrupts --reps=3 --json"},
		/* What was typed comes again, but for what the cell or the caller says. */
		{"{\"mode\": \"virtio\", \"knobs\": {\"kernel\": \"bzimage\", \"tool\": \"iperf3\"}, \"options\": {\"mode\":"
		 " \"virtio,sriov\", \"set\": [\"kernel=bzimage,vmlinux\"], \"kernel\": \"newer\", \"tool\": \"iperf3\","
		 " \"duration\": \"2000ns\", \"warmup\": \"1\", \"peer\": \"10.0.0.1\", \"token\": \"t\", \"timeout\": \"5ns\","
		 " \"reps\": \"9\", \"seed\": \"4\", \"ipv6\": true, \"json\": true, \"store\": \"x\", \"on\": \"auto\"},"
		 " \"params\": {\"duration_ns\": 2000, \"topology\": \"wire\", \"peer\": \"10.0.0.1\", \"kernel\": \"newer\"}}",
		 3,
		 "run net-throughput --mode=virtio --vmm=builtin --guest=linux --on=host --set=kernel=bzimage "
		 "--set=tool=iperf3 --warmup=1 --duration=2000ns --ipv6 --peer=10.0.0.1 --token=t --kernel=newer "
		 "--timeout=5ns --reps=3 --json"},
		/* Beside sriov in its plan. */
		{"{\"mode\": \"virtio\", \"options\": {\"mode\": \"virtio,sriov\"}, \"params\": {\"duration_ns\": 7, \"topology\":"
		 " \"wire\", \"pin\": \"auto\", \"tool\": \"engine\"}}",
		 3,
		 "run net-throughput --mode=virtio --vmm=builtin --guest=linux --on=host --duration=7ns --topology=wire "
		 "--reps=3 --json"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *rec = fake_record("virtio", "throughput_bps", (double[]){1, 2}, 2);
		json_t *patch = json_loads(cases[i].patch, 0, NULL);
		char *got;

		json_object_update(rec, patch);
		got = command_of(rec, cases[i].reps, NULL);
		assert_string_equal(got, cases[i].want);
		free(got);
		json_decref(patch);
		json_decref(rec);
	}
}

static void what_prints_no_record_gives_none(void **state)
{
	char *said[] = {(char *)"echo", (char *)"{\"schema\": 1}", (char *)"x", NULL};
	char *failed[] = {(char *)"false", (char *)"run", (char *)"boot", NULL};

	(void)state;
	assert_null(rerun_take(said));
	assert_null(rerun_take(failed));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_command_repeats_the_cell),
		cmocka_unit_test(what_prints_no_record_gives_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
