// SPDX-License-Identifier: MIT
/* `bench run`: what was typed, checked and handed on to run/. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "bench/lab/machine.h"
#include "bench/sample/observer.h"
#include "bench/run/run.h"

/* A machine that can do nothing else is deterministic without being told. */
static int choose_lab(struct run_args *args)
{
	if (args->on && strcmp(args->on, "lab")) {
		log_error("run: --lab=%s is --on=lab, not --on=%s", args->lab, args->on);
		return -EINVAL;
	}
	args->on = "lab";
	args->deterministic |= machine_find(args->lab)->channel == LAB_SPEAKS;
	return 0;
}

static int run_main(int argc, char **argv)
{
	struct run_args args = {0};
	struct run_call call = {.argv = json_pack("[s]", "bench")};
	int status;

	/* Before parsing, which reorders them. */
	for (int i = 0; i < argc; i++)
		json_array_append_new(call.argv, json_string(argv[i]));
	if (!bench_parse(&cmd_run, &argc, argv, &args, &status))
		return status;
	if (argc != 2) {
		log_error("run: expected one workload%s; see bench list workloads", text_if(argc > 2, ", not several"));
		return EXIT_USAGE;
	}
	if (args.peer && (!args.token || !args.nic || (args.topology && strcmp(args.topology, "wire")))) {
		log_error("run: --peer wants --token, --nic, and no topology but wire");
		return EXIT_USAGE;
	}
	if (workloads_validate())
		return EXIT_BUG;
	call.options = run_options_json(&args);
	if (args.lab && choose_lab(&args))
		return EXIT_USAGE;
	if (args.overhead && overhead_expand(&args))
		return EXIT_USAGE;
	status = run_workload(argv[1], &args, &call);
	json_decref(call.argv);
	json_decref(call.options);
	return status;
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
		    "bench run blk-iops --mode=host,virtio-blk,nvme --vmm=builtin,qemu\n"
		    "bench run blk-sync --mode=nvme --medium=file --guest=micro --on=host\n"
		    "bench run boot --lab=intel\n"
		    "bench run exit-cost --overhead",
	.opts = run_opts,
	.run = run_main,
};
