// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "bench/host/outer.h"
#include "bench/bench.h"
#include "bench/sample/observer.h"
#include "bench/run/run.h"

const struct opt run_opts[] = {
	{"mode", 'm', OPT_STR, offsetof(struct run_args, modes), "M[,M...]",
	 "device paths: host, e1000, virtio, vhost, vhost-user, sriov"},
	{"vmm", 0, OPT_STR, offsetof(struct run_args, vmms), "V[,V...]",
	 "VMMs: builtin (default), qemu, qemu:accel=tcg; none is mode host"},
	{"guest", 'g', OPT_STR, offsetof(struct run_args, guest), "linux|micro",
	 "guest (default: the workload's first)"},
	{"on", 0, OPT_STR, offsetof(struct run_args, on), "auto|host|lab",
	 "substrate (default auto: the host when it can, else the lab)"},
	{"set", 's', OPT_LIST, offsetof(struct run_args, set), "K=V[,V...]",
	 "a knob (bench list knobs) or a key of the job; several values make a matrix"},
	{"reps", 'n', OPT_COUNT, offsetof(struct run_args, reps), "N",
	 "boots per cell (default 10; in the lab 7; deterministic 2)"},
	{"warmup", 0, OPT_U64, offsetof(struct run_args, warmup), "N",
	 "boots per cell before those, not counted (default 0)"},
	{"duration", 'd', OPT_DURATION, offsetof(struct run_args, duration_ns), "TIME",
	 "length of the window"},
	{"work", 'w', OPT_SIZE, offsetof(struct run_args, work), "N",
	 "fixed work instead: bytes, transactions, iterations"},
	{"tool", 0, OPT_STR, offsetof(struct run_args, tool), "engine|iperf3", "traffic generator"},
	{"ipv6", '6', OPT_FLAG, offsetof(struct run_args, ipv6), NULL, "IPv6 instead of IPv4"},
	{"topology", 0, OPT_STR, offsetof(struct run_args, topology), "local|wire",
	 "TAP to the peer, or every mode through the same card (default with sriov)"},
	{"nic", 0, OPT_STR, offsetof(struct run_args, nic), "NIC",
	 "the card of --topology=wire, which gives the virtual function of mode sriov (default auto)"},
	{"vf", 0, OPT_STR, offsetof(struct run_args, vf), "ADDR",
	 "mode sriov: a virtual function that is there already, instead of making one"},
	{"allow-unsafe-interrupts", 0, OPT_FLAG, offsetof(struct run_args, unsafe_interrupts), NULL,
	 "mode sriov also where interrupts are not remapped"},
	{"peer", 0, OPT_STR, offsetof(struct run_args, peer), "ADDR",
	 "the other end of the wire is `bench peer` on that machine; see bench peer --help"},
	{"token", 0, OPT_STR, offsetof(struct run_args, token), "FILE",
	 "with --peer: what both machines know"},
	{"kernel", 0, OPT_STR, offsetof(struct run_args, kernel), "NAME",
	 "guest kernel: default, newer, or a release in the cache"},
	{"pin", 0, OPT_STR, offsetof(struct run_args, pin), "WHERE",
	 "auto (default: a core for each vCPU, the rest for the others), none, or CPUs: for vCPUs, I/O, peer"},
	{"tune", 0, OPT_FLAG, offsetof(struct run_args, tune), NULL,
	 "governor performance, no turbo, no SMT for as long as it runs; put back afterwards"},
	{"seed", 0, OPT_COUNT, offsetof(struct run_args, seed), "N",
	 "of the order of boots (default: the clock)"},
	{"no-probes", 0, OPT_FLAG, offsetof(struct run_args, no_probes), NULL,
	 "attach no eBPF: throughput and latency only"},
	{"overhead", 0, OPT_FLAG, offsetof(struct run_args, overhead), NULL,
	 "what observing costs: nobody, the probes, trace-cmd and perf kvm stat, interleaved"},
	{"timeout", 't', OPT_DURATION, offsetof(struct run_args, timeout_ns), "TIME",
	 "of the whole plan in the lab"},
	{"store", 0, OPT_STR, offsetof(struct run_args, store), "DIR", "where records are kept"},
	{"deterministic", 0, OPT_FLAG, offsetof(struct run_args, deterministic), NULL,
	 "in a lab under instruction counting: equal to the last digit"},
	{"dry-run", 0, OPT_FLAG, offsetof(struct run_args, dry_run), NULL,
	 "show the plan and stop"},
	{"json", 'j', OPT_FLAG, offsetof(struct run_args, json), NULL,
	 "the record alone on stdout"},
	OPT_END,
};

static int run_main(int argc, char **argv)
{
	struct run_args args = {0};
	int status, all_argc = argc;
	char **all = xcalloc((size_t)argc + 2, sizeof(*all));

	/* As typed, for the record: parsing reorders argv. */
	all[0] = (char *)"bench";
	memcpy(all + 1, argv, (size_t)argc * sizeof(*all));
	if (!bench_parse(&cmd_run, &argc, argv, &args, &status))
		return status;
	if (argc != 2) {
		log_error("run: expected one workload%s; see bench list workloads", argc > 2 ? ", not several" : "");
		return EXIT_USAGE;
	}
	if (args.peer && (!args.token || !args.nic || (args.topology && strcmp(args.topology, "wire")))) {
		log_error("run: --peer wants --token, --nic, and no topology but wire");
		return EXIT_USAGE;
	}
	if (workloads_validate())
		return EXIT_BUG;
	/* A bench in the lab was given what its caller had expanded. */
	if (args.overhead && !outer_told().inner && overhead_expand(&args))
		return EXIT_USAGE;
	return run_workload(argv[1], &args, all_argc + 1, all);
}

const struct command cmd_run = {
	.name = "run",
	.args = "WORKLOAD",
	.summary = "boot guests, run a workload over device paths, measure and compare",
	.details = "Every sample is one boot. Several modes, VMMs or knob values are one plan: booted interleaved in randomised\n"
		   "ABBA order, compared in one table, one record each. Progress goes to stderr, the table to stdout.\n"
		   "Exit status: 0 done, 1 a sample or check failed, 2 usage, 3 this substrate cannot, 130 interrupted.",
	.examples = "bench run boot --vmm=builtin,qemu\n"
		    "bench run net-throughput --mode=vhost\n"
		    "bench run net-throughput --mode=e1000,virtio,vhost --vmm=builtin,qemu --reps=7\n"
		    "bench run net-latency --mode=virtio --set event_idx=on,off\n"
		    "bench run net-throughput --mode=virtio --deterministic --reps=2 --work=16M\n"
		    "bench run exit-cost --guest=micro --on=host\n"
		    "bench run exit-cost --overhead",
	.opts = run_opts,
	.run = run_main,
};
