// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "analysis/claims.h"
#include "tests/unit/fake_record.h"

static json_t *record_of(const char *workload, const char *mode, const char *metric, double v)
{
	json_t *rec = fake_record(mode, metric, (double[]){v, v, v, v, v, v, v}, 7);

	json_object_set_new(rec, "workload", json_string(workload));
	return rec;
}

/* The result of one claim, found by its words. */
static struct claim_result judge(json_t **rec, size_t n, const char *claim)
{
	struct claim_result *r, found = {0};

	for (int s = 0; s < CLAIM_SECTIONS; s++) {
		size_t claims = claims_judge(rec, n, (enum claim_section)s, &r);

		for (size_t i = 0; i < claims; i++)
			if (!strcmp(r[i].claim, claim))
				found = r[i];
		free(r);
	}
	assert_non_null(found.claim);
	return found;
}

static void counts_hold_everywhere_times_only_in_real_time(void **state)
{
	json_t *rec[] = {record_of("net-pps", "e1000", "exits_per_packet", 2.1),
			 record_of("net-throughput", "e1000", "throughput_bps", 2.5e9)};
	struct claim_result r;

	(void)state;
	json_object_set_new(rec[0], "knobs",
			    json_pack("{s:s, s:s, s:s, s:s}", "flood", "on", "coalesce", "off",
				      "io", "vcpu", "offload", "off"));
	assert_int_equal(judge(rec, 2, "emulated e1000, throughput").state, CLAIM_HOLDS);
	for (int i = 0; i < 2; i++)
		json_object_set_new(rec[i], "time_base", json_string("emulated"));
	assert_int_equal(judge(rec, 2, "emulated e1000, throughput").state, CLAIM_CANNOT_TELL);
	r = judge(rec, 2, "emulated e1000, exits per packet");
	assert_int_equal(r.state, CLAIM_HOLDS);
	assert_string_equal(r.ours, "2.1 [2.1, 2.1]");
	json_decref(rec[0]);
	json_decref(rec[1]);
}

static void ratios_need_both_sides_of_one_substrate(void **state)
{
	static const char claim[] = "virtio against an e1000 made better";
	json_t *rec[] = {record_of("net-throughput", "virtio", "throughput_bps", 3e9),
			 record_of("net-throughput", "e1000", "throughput_bps", 2e9)};
	struct claim_result r;

	(void)state;
	r = judge(rec, 1, claim);
	assert_int_equal(r.state, CLAIM_NOT_MEASURED);
	assert_string_equal(r.why, "bench run net-throughput --mode=virtio,e1000 --vmm=builtin");
	r = judge(rec, 2, claim);
	assert_int_equal(r.state, CLAIM_HOLDS);
	assert_string_equal(r.ours, "1.5x [1.5x, 1.5x]");
	json_object_set_new(rec[1], "substrate", json_string("lab"));
	assert_int_equal(judge(rec, 2, claim).state, CLAIM_NOT_MEASURED);
	json_object_set_new(rec[1], "substrate", json_string("host"));
	json_object_set_new(rec[1], "vmm", json_string("qemu"));
	assert_int_equal(judge(rec, 2, claim).state, CLAIM_NOT_MEASURED);
	json_decref(rec[0]);
	json_decref(rec[1]);
}

static json_t *flood(const char *event_idx)
{
	return json_pack("{s:s, s:s, s:s}", "flood", "on", "coalesce_us", "0", "event_idx", event_idx);
}

static void knobs_tell_the_sides_apart(void **state)
{
	json_t *rec[] = {record_of("net-pps", "virtio", "interrupts_per_packet", 0.2),
			 record_of("net-pps", "virtio", "interrupts_per_packet", 0.1)};
	static const char claim[] = "event index cuts notifications further";
	struct claim_result r;

	(void)state;
	r = judge(rec, 2, claim);
	assert_int_equal(r.state, CLAIM_NOT_MEASURED);
	assert_string_equal(r.why, "bench run net-pps --mode=virtio --vmm=builtin --set flood=on "
				   "--set coalesce_us=0 --set event_idx=on,off");
	json_object_set_new(rec[0], "knobs", flood("off"));
	json_object_set_new(rec[1], "knobs", flood("on"));
	assert_int_equal(judge(rec, 2, claim).state, CLAIM_HOLDS);
	json_object_set_new(rec[0], "knobs", flood("on"));
	json_object_set_new(rec[1], "knobs", flood("off"));
	assert_int_equal(judge(rec, 2, claim).state, CLAIM_FAILS);
	json_decref(rec[0]);
	json_decref(rec[1]);
}

/* Sides that differ in more than one plan can say: the one that is missing is asked for. */
static void the_missing_side_is_named(void **state)
{
	json_t *rec[] = {record_of("net-pps", "virtio", "exits_per_packet", 0.1)};
	static const char claim[] = "virtio-net, exits against e1000";
	struct claim_result r;

	(void)state;
	r = judge(rec, 1, claim);
	assert_string_equal(r.why, "bench run net-pps --mode=virtio --vmm=builtin --set flood=on "
				   "--set offload=off");
	json_object_set_new(rec[0], "knobs", json_pack("{s:s, s:s}", "flood", "on", "offload", "off"));
	r = judge(rec, 1, claim);
	assert_string_equal(r.why, "bench run net-pps --mode=e1000 --vmm=builtin --set flood=on "
				   "--set coalesce=off --set io=vcpu --set offload=off");
	json_decref(rec[0]);
}

static void a_claim_that_fails_says_why(void **state)
{
	json_t *rec[] = {record_of("boot", "", "boot_ns", 500e6)};
	struct claim_result r;

	(void)state;
	r = judge(rec, 1, "boot to init");
	assert_int_equal(r.state, CLAIM_FAILS);
	assert_non_null(strstr(r.why, "Debian kernel"));
	json_decref(rec[0]);
}

/* The same records may hold both sides, under two names. */
static void sides_of_two_metrics(void **state)
{
	static const char claim[] = "exit to the VMM against one inside KVM";
	json_t *rec[] = {record_of("exit-cost", "", "exit_cost_ns.pio_user", 2000),
			 record_of("exit-cost", "", "exit_cost_ns.cpuid", 1000)};

	(void)state;
	assert_int_equal(judge(rec, 1, claim).state, CLAIM_NOT_MEASURED);
	assert_string_equal(judge(rec, 1, claim).why, "bench run exit-cost");
	assert_string_equal(judge(rec, 2, claim).ours, "2x [2x, 2x]");
	assert_int_equal(judge(rec, 2, claim).state, CLAIM_HOLDS);
	json_decref(rec[0]);
	json_decref(rec[1]);
}

static void boots_that_were_interleaved_come_first(void **state)
{
	json_t *rec[] = {record_of("net-throughput", "host", "throughput_bps", 10e9),
			 record_of("net-throughput", "sriov", "throughput_bps", 9.95e9),
			 record_of("net-throughput", "sriov", "throughput_bps", 5e9)};

	(void)state;
	assert_string_equal(judge(rec, 3, "SR-IOV VF against bare metal").ours, "0.5x [0.5x, 0.5x]");
	json_object_set_new(rec[0], "plan_id", json_string("one"));
	json_object_set_new(rec[1], "plan_id", json_string("one"));
	json_object_set_new(rec[2], "plan_id", json_string("two"));
	assert_string_equal(judge(rec, 3, "SR-IOV VF against bare metal").ours, "0.995x [0.995x, 0.995x]");
	for (size_t i = 0; i < ARRAY_SIZE(rec); i++)
		json_decref(rec[i]);
}

/* What a VMM adds to the host's: of a record each, in real time alone. */
static void differences_are_of_two(void **state)
{
	static const char claim[] = "Firecracker: latency that it adds";
	json_t *rec[] = {record_of("net-latency", "host", "latency_ns", 100e3),
			 record_of("net-latency", "virtio", "latency_ns", 150e3)};

	(void)state;
	assert_int_equal(judge(rec, 2, claim).state, CLAIM_NOT_MEASURED);
	json_object_set_new(rec[1], "vmm", json_string("firecracker"));
	assert_int_equal(judge(rec + 1, 1, claim).state, CLAIM_NOT_MEASURED);
	assert_int_equal(judge(rec, 2, claim).state, CLAIM_HOLDS);
	assert_string_equal(judge(rec, 2, claim).ours, "50.0 us [50.0 us, 50.0 us]");
	for (int i = 0; i < 2; i++)
		json_object_set_new(rec[i], "time_base", json_string("emulated"));
	assert_int_equal(judge(rec, 2, claim).state, CLAIM_CANNOT_TELL);
	json_decref(rec[0]);
	json_decref(rec[1]);
}

/* A run of two VMs says nothing of one. */
static void several_vms_are_a_case_of_their_own(void **state)
{
	json_t *rec[] = {record_of("net-throughput", "host", "throughput_bps", 10e9),
			 record_of("net-throughput", "sriov", "throughput_bps", 9.95e9),
			 record_of("net-throughput", "sriov", "throughput_bps", 5e9)};

	(void)state;
	json_object_set_new(rec[2], "knobs", json_pack("{s:s}", "vms", "2"));
	assert_int_equal(judge(rec, 3, "SR-IOV VF against bare metal").state, CLAIM_HOLDS);
	assert_int_equal(judge(rec, 3, "SR-IOV scaling").state, CLAIM_NOT_MEASURED);
	json_object_set_new(rec[1], "knobs", json_pack("{s:s}", "vms", "1"));
	assert_int_equal(judge(rec, 3, "SR-IOV VF against bare metal").state, CLAIM_HOLDS);
	assert_string_equal(judge(rec, 3, "SR-IOV scaling").ours, "0.503x [0.503x, 0.503x]");
	for (size_t i = 0; i < ARRAY_SIZE(rec); i++)
		json_decref(rec[i]);
}

/* Of "vhost, exits to userspace per packet", at most 0.01. The median alone would say yes but for one. */
static void the_interval_decides(void **state)
{
	static const struct {
		double v[8];
		int n;
		const char *time_base, *why;
		enum claim_state state;
	} cases[] = {
		{{.001, .002, .003, .004, .005, .006, .007, .008}, 8, "real", "", CLAIM_HOLDS},
		{{.001, .002, .003, .004, .005, .02, .03, .04},
		 8,
		 "real",
		 "reaches beyond 0 to 0.01",
		 CLAIM_CANNOT_TELL},
		{{.02, .03, .02, .03, .02, .03, .02, .03}, 8, "real", "", CLAIM_FAILS},
		{{.001, .002, .003}, 3, "real", "3 boots: too few", CLAIM_CANNOT_TELL},
		{{.001}, 1, "real", "1 boot: too few", CLAIM_CANNOT_TELL},
		{{.001, .001}, 2, "virtual", "", CLAIM_HOLDS},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *rec = fake_record("vhost", "userspace_exits_per_packet", cases[i].v, cases[i].n);
		struct claim_result r;

		json_object_set_new(rec, "time_base", json_string(cases[i].time_base));
		r = judge(&rec, 1, "vhost, exits to userspace per packet");
		if (r.state != cases[i].state || !strstr(r.why, cases[i].why))
			fail_msg("case %zu: %s, %s", i, claim_state_text(r.state), r.why);
		json_decref(rec);
	}
}

/* A record of virtual time whose only boot has such exits. */
static json_t *assisted(const char *workload, const char *substrate, const char *knob, const char *value,
			json_t *exits)
{
	json_t *rec = record_of(workload, "virtio", "exits_per_packet", 2);

	json_object_set_new(rec, "substrate", json_string(substrate));
	json_object_set_new(rec, "time_base", json_string("virtual"));
	json_object_set_new(rec, "knobs", json_pack("{s:s}", knob, value));
	json_object_set_new(rec, "samples", json_pack("[{s:b,s:{s:f},s:o}]", "ok", 1, "metrics",
						      "exits_per_packet", 2.0, "exits", exits));
	return rec;
}

static json_t *exits_of(const char *key, int n)
{
	return json_pack("[{s:s,s:s,s:i},{s:s,s:s,s:i},{s:s,s:s,s:i}]", "reason", "msr_write", "key", key,
			 "count", n, "reason", "msr_write", "key", "0x80", "count", 5, "reason",
			 "external_interrupt", "key", "", "count", n);
}

/* Of one reason, or of one reason and key; a kind that did not happen is none, not unknown. */
static void kinds_of_exits_are_counted(void **state)
{
	static const char eoi[] = "APICv, exits at the end of an interrupt";
	static const char timer[] = "preemption timer, host interrupts that end a guest's turn";
	static const struct {
		const char *key;
		int n;
		const char *substrate, *knob, *ours;
		enum claim_state state;
	} cases[] = {
		{"0x80b", 0, "lab-intel", "on", "0", CLAIM_HOLDS},
		{"0x80b", 7, "lab-intel", "on", "7", CLAIM_FAILS},
		{"0x80bc", 7, "lab-intel", "on", "0", CLAIM_HOLDS},
		{"0x80b", 0, "lab-intel", "off", "", CLAIM_NOT_MEASURED},
		{"0x80b", 0, "lab", "on", "", CLAIM_NOT_MEASURED},
	};
	json_t *rec[2];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct claim_result r;

		rec[0] = assisted("exit-cost", cases[i].substrate, "apicv", cases[i].knob,
				  exits_of(cases[i].key, cases[i].n));
		r = judge(rec, 1, eoi);
		if (r.state != cases[i].state || strcmp(r.ours, cases[i].ours))
			fail_msg("case %zu: %s, %s", i, claim_state_text(r.state), r.ours);
		json_decref(rec[0]);
	}
	rec[0] = assisted("boot", "lab-intel", "preemption_timer", "on", exits_of("0x6e0", 10));
	rec[1] = assisted("boot", "lab-intel", "preemption_timer", "off", exits_of("0x6e0", 40));
	assert_int_equal(judge(rec, 2, timer).state, CLAIM_HOLDS);
	assert_string_equal(judge(rec, 2, timer).ours, "0.25x");
	json_decref(rec[0]);
	json_decref(rec[1]);
}

static void two_machines_are_compared_where_a_claim_is_of_both(void **state)
{
	static const char claim[] = "Intel against AMD, virtio, exits per packet";
	json_t *rec[] = {assisted("net-throughput", "lab", "vms", "1", exits_of("", 1)),
			 assisted("net-throughput", "lab-intel", "apicv", "off", exits_of("", 1))};

	(void)state;
	assert_string_equal(judge(rec, 1, claim).why, "bench run net-throughput --lab=intel --mode=virtio "
						      "--vmm=builtin --set apicv=off");
	assert_string_equal(judge(rec + 1, 1, claim).why,
			    "bench run net-throughput --on=lab --deterministic --mode=virtio --vmm=builtin");
	assert_int_equal(judge(rec, 2, claim).state, CLAIM_HOLDS);
	json_decref(rec[0]);
	json_decref(rec[1]);
}

static void what_cannot_be_measured_says_so(void **state)
{
	struct claim_result r = judge(NULL, 0, "paravirtualisation, computing");

	(void)state;
	assert_int_equal(r.state, CLAIM_NOT_MEASURED);
	assert_non_null(strstr(r.why, "not supported yet"));
	assert_string_equal(r.ours, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_hold_everywhere_times_only_in_real_time),
		cmocka_unit_test(ratios_need_both_sides_of_one_substrate),
		cmocka_unit_test(knobs_tell_the_sides_apart),
		cmocka_unit_test(the_missing_side_is_named),
		cmocka_unit_test(a_claim_that_fails_says_why),
		cmocka_unit_test(sides_of_two_metrics),
		cmocka_unit_test(boots_that_were_interleaved_come_first),
		cmocka_unit_test(differences_are_of_two),
		cmocka_unit_test(several_vms_are_a_case_of_their_own),
		cmocka_unit_test(the_interval_decides),
		cmocka_unit_test(kinds_of_exits_are_counted),
		cmocka_unit_test(two_machines_are_compared_where_a_claim_is_of_both),
		cmocka_unit_test(what_cannot_be_measured_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
