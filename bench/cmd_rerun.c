// SPDX-License-Identifier: MIT
/* `bench rerun`: a stored run once more, and in what the machine differs from that day's. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/file.h"
#include "bench/bench.h"
#include "bench/host/environment.h"
#include "bench/host/paths.h"
#include "bench/lab/lab.h"
#include "bench/plan/rerun.h"
#include "bench/cli/runs.h"

struct rerun_args {
	const char *store;
	uint64_t reps;
	bool dry_run, strict;
};

static const struct opt rerun_opts[] = {
	{"reps", 'n', OPT_COUNT, offsetof(struct rerun_args, reps), "N",
	 "boots (default: as many as the record has)"},
	{"strict", 0, OPT_FLAG, offsetof(struct rerun_args, strict), NULL,
	 "do not run when anything differs"},
	{"dry-run", 0, OPT_FLAG, offsetof(struct rerun_args, dry_run), NULL,
	 "say what differs and the command, and stop"},
	{"store", 0, OPT_STR, offsetof(struct rerun_args, store), "DIR",
	 "where the run is and the new one goes"},
	OPT_END,
};

/* What a sealed lab had under a path of its own came from this machine. */
static char *path_here(const char *path)
{
	const char *name = strrchr(path, '/');

	if (!strncmp(path, LAB_SEALED_CACHE "/", strlen(LAB_SEALED_CACHE "/")))
		return xasprintf("%s%s", path_cache(), path + strlen(LAB_SEALED_CACHE));
	if (!strncmp(path, LAB_SEALED_BIN "/", strlen(LAB_SEALED_BIN "/")))
		return xstrdup(text_or(path_find(name + 1), path));
	return xstrdup(path);
}

/* Number of inputs that are not what they were. */
static size_t check_inputs(const json_t *rec)
{
	const json_t *inputs = record_of(rec).inputs;
	struct record_input in;
	size_t differ = 0;

	for (size_t i = 0; record_input(inputs, i, &in); i++) {
		char *path = path_here(in.path), now[65];
		int err = file_sha256(path, now);

		differ += err || strcmp(now, in.sha256) != 0;
		if (err)
			print_plain(stdout, "differs: input %s: %s: %s\n", in.name, path, strerror(-err));
		else if (strcmp(now, in.sha256) != 0)
			print_plain(stdout, "differs: input %s: %s: SHA-256 was %.12s, is %.12s (version then: %s)\n",
				   in.name, path, in.sha256, now, in.version);
		free(path);
	}
	return differ;
}

static bool fact_differs(const char *name, const char *was, const char *is)
{
	if (!*was || !strcmp(was, is)) /* what the record does not say is not compared */
		return false;
	print_plain(stdout, "differs: %s: was %s, is %s\n", name, was, text_or(is, "nothing"));
	return true;
}

static size_t check_environment(const json_t *rec)
{
	struct record_environment was = record_environment_of(rec), is;
	json_t *now = environment_json();
	char cpus_were[24], cpus_are[24];
	size_t differ = 0;

	members_read(&environment_members, now, &is);
	snprintf(cpus_were, sizeof(cpus_were), "%lld", (long long)was.cpus);
	snprintf(cpus_are, sizeof(cpus_are), "%lld", (long long)is.cpus);
	differ += fact_differs("kernel", was.kernel, is.kernel);
	differ += fact_differs("cpu", was.cpu, is.cpu);
	differ += fact_differs("microcode", was.microcode, is.microcode);
	differ += was.cpus && fact_differs("cpus", cpus_were, cpus_are);
	differ += fact_differs("governor", was.governor, is.governor);
	differ += fact_differs("smt", was.smt, is.smt);
	differ += fact_differs("no_turbo", was.no_turbo, is.no_turbo);
	differ += fact_differs("qemu", was.qemu, is.qemu);
	json_decref(now);
	return differ;
}

static int run_again(const json_t *rec, const struct rerun_args *a)
{
	struct strlist run = rerun_argv(rec, a->reps, a->store);

	/* The last word is --json; people get the table instead. */
	free(run.v[--run.n]);
	run.v[run.n] = NULL;
	printf("bench");
	for (size_t i = 1; i < run.n; i++)
		print_plain(stdout, " %s", run.v[i]);
	printf("\n");
	fflush(stdout);
	if (!a->dry_run) {
		execv(path_self(), run.v);
		log_error("%s: %s", path_self(), strerror(errno));
	}
	strlist_free(&run);
	return a->dry_run ? EXIT_OK : EXIT_CANNOT;
}

static int rerun_main(int argc, char **argv)
{
	struct rerun_args a = {0};
	struct fig_set set;
	size_t differ;
	int status;

	if (!bench_parse(&cmd_rerun, &argc, argv, &a, &status))
		return status;
	if (argc != 2) {
		log_error("rerun: which run? see bench list runs");
		return EXIT_USAGE;
	}
	if (runs_load(a.store, argc, argv, &set))
		return EXIT_CANNOT;
	differ = check_inputs(set.rec[0]);
	/* Facts about the inside of a lab could be compared only by a bench in a lab. */
	if (!strcmp(record_of(set.rec[0]).substrate, "host"))
		differ += check_environment(set.rec[0]);
	if (!differ)
		printf("every input is what it was\n");
	if (differ && a.strict)
		status = EXIT_FAILED;
	else
		status = run_again(set.rec[0], &a);
	runs_free(&set);
	return status;
}

const struct command cmd_rerun = {
	.name = "rerun",
	.args = "RUN",
	.summary = "measure again what a stored run measured, after naming what has changed since",
	.details = "Compares the SHA-256 of every input and, for runs on the host, kernel, CPU, "
		   "microcode and settings.\n"
		   "Runs the record's one configuration again, whatever plan it came from.",
	.examples = "bench rerun last\nbench rerun 20260314-092653 --dry-run",
	.opts = rerun_opts,
	.run = rerun_main,
};
