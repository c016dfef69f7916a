// SPDX-License-Identifier: MIT
/* bench gate: a baseline held against fresh samples. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/compare.h"
#include "analysis/gate_report.h"
#include "base/file.h"
#include "bench/bench.h"
#include "bench/plan/rerun.h"
#include "bench/cli/runs.h"

struct gate_args {
	const char *store, *baseline, *screening, *confirmation, *floors, *markdown, *junit;
	struct opt_list metric;
	uint64_t reps;
	bool force, deterministic;
};

static const struct opt gate_opts[] = {
	{"baseline", 'b', OPT_STR, offsetof(struct gate_args, baseline), "RUN",
	 "the stored run to hold against"},
	{"metric", 'm', OPT_LIST, offsetof(struct gate_args, metric), "NAME",
	 "judge only this one (may be given several times)"},
	{"floors", 0, OPT_STR, offsetof(struct gate_args, floors), "FILE",
	 "lines METRIC RELATIVE% [ABSOLUTE] (default: * 1%, in virtual time * 0%)"},
	{"reps", 'n', OPT_COUNT, offsetof(struct gate_args, reps), "N",
	 "boots of the screening (default: as the baseline); twice for the confirmation"},
	{"markdown", 0, OPT_STR, offsetof(struct gate_args, markdown), "FILE",
	 "the table for a pull request"},
	{"junit", 0, OPT_STR, offsetof(struct gate_args, junit), "FILE", "the verdicts for CI"},
	{"deterministic", 0, OPT_FLAG, offsetof(struct gate_args, deterministic), NULL,
	 "insist on a baseline in virtual time: exact counts"},
	{"screening", 0, OPT_STR, offsetof(struct gate_args, screening), "RUN",
	 "take this stored run as the screening sample"},
	{"confirmation", 0, OPT_STR, offsetof(struct gate_args, confirmation), "RUN",
	 "and this one as the confirmation"},
	{"force", 'f', OPT_FLAG, offsetof(struct gate_args, force), NULL,
	 "across substrates or kernels all the same"},
	{"store", 0, OPT_STR, offsetof(struct gate_args, store), "DIR",
	 "where the baseline is and new samples go"},
	OPT_END,
};

struct source {
	const struct gate_args *args;
	struct store *store;
	const json_t *base;
};

/* Samples that failed do not count, and what differs beyond the program under test makes the rest
 * worthless. */
static bool comparable(const struct source *s, const json_t *rec)
{
	struct compare_difference *d;
	size_t n = compare_differences(s->base, rec, &d);
	char *what = NULL;
	bool blocked;

	if (!s->args->force)
		what = compare_blocking(d, n);
	blocked = what;
	if (blocked)
		log_error("gate: %s has %s than the baseline; --force gates all the same",
			  record_of(rec).id, what);
	compare_differences_free(d, n);
	free(what);
	return !blocked;
}

static json_t *take_sample(void *ctx, const char *what)
{
	struct source *s = ctx;
	bool confirming = !strcmp(what, "confirmation");
	const char *ref = confirming ? s->args->confirmation : s->args->screening;
	uint64_t reps = or_usual(s->args->reps, json_array_size(record_of(s->base).samples));
	json_t *rec;

	if (confirming)
		reps *= GATE_CONFIRM_FACTOR;
	if (ref) {
		rec = store_load(s->store, ref);
	} else if (s->args->screening) {
		log_error("gate: something looks worse in the screening; give a second run with "
			  "--confirmation");
		return NULL;
	} else {
		struct strlist run = rerun_argv(s->base, reps, s->args->store);

		log_info("gate: %s sample", what);
		rec = rerun_take(run.v);
		strlist_free(&run);
	}
	if (rec && !comparable(s, rec)) {
		json_decref(rec);
		rec = NULL;
	}
	if (rec && !record_of(rec).ok)
		log_warn("gate: some boots or checks of %s failed; see bench show %s",
			 record_of(rec).id, record_of(rec).id);
	return rec;
}

static int write_file(const char *path,
		      void (*write)(const struct gate *, const struct gate_names *, FILE *),
		      const struct gate *g, const struct gate_names *names)
{
	struct file_stream s;
	int err;

	if (!path)
		return 0;
	if (!file_stream(&s))
		return -errno;
	write(g, names, s.f);
	err = file_stream_save(&s, path);
	if (err)
		log_error("%s: %s", path, strerror(-err));
	return err;
}

static int print_verdict(const struct gate_args *a, const struct gate *g, const json_t *base,
			 const json_t *screen, const json_t *confirm)
{
	struct gate_names names = {record_of(base).id, record_of(screen).id, NULL, record_series(base)};
	int err;

	if (confirm)
		names.confirm = record_of(confirm).id;
	gate_write_text(g, &names, stdout);
	if (g->exact && g->tripped)
		gate_print_exits(base, screen, stdout);
	err = write_file(a->markdown, gate_write_markdown, g, &names);
	if (!err)
		err = write_file(a->junit, gate_write_junit, g, &names);
	free(names.series);
	if (err)
		return EXIT_CANNOT;
	if (g->tripped || g->undecided)
		return EXIT_FAILED;
	return EXIT_OK;
}

/* What the store knows about runs of the baseline's series. */
static int learn_spreads(struct source *s, struct spreads *out)
{
	char *series = record_series(s->base);
	int err = spreads_learn(out, s->store, series);

	free(series);
	return err;
}

static int gate(struct source *s, const struct gate_floors *floors)
{
	const struct gate_args *a = s->args;
	struct spreads spreads;
	const char **metrics = xcalloc(a->metric.n + 1, sizeof(*metrics));
	const struct gate_opts opts = {
		.metrics = a->metric.n ? metrics : NULL,
		.headline = runs_headline(s->base),
		.floors = floors,
		.spreads = &spreads,
	};
	json_t *screen = NULL, *confirm = NULL;
	struct gate g = {0};
	int status;

	for (size_t i = 0; i < a->metric.n; i++)
		metrics[i] = a->metric.item[i];
	if (learn_spreads(s, &spreads) ||
	    gate_run(&g, s->base, &(struct gate_source){take_sample, s}, &opts, &screen, &confirm)) {
		status = EXIT_CANNOT;
	} else {
		gate_tell_detectable(&g);
		status = print_verdict(a, &g, s->base, screen, confirm);
	}
	spreads_free(&spreads);
	gate_free(&g);
	json_decref(screen);
	json_decref(confirm);
	free(metrics);
	return status;
}

static int gate_with_store(const struct gate_args *a, const struct gate_floors *floors)
{
	struct source s = {.args = a};
	json_t *base;
	int status = EXIT_CANNOT;

	if (store_open(&s.store, a->store))
		return EXIT_CANNOT;
	s.base = base = store_load(s.store, a->baseline);
	if (base && a->deterministic && strcmp(record_of(base).time_base, "virtual") != 0)
		log_error(
			"gate: the baseline %s was not measured with --deterministic; measure one "
			"that is",
			a->baseline);
	else if (base)
		status = gate(&s, floors);
	json_decref(base);
	store_close(s.store);
	return status;
}

static int gate_main(int argc, char **argv)
{
	struct gate_args a = {0};
	struct gate_floors floors = {NULL, 0};
	int status;

	if (!bench_parse(&cmd_gate, &argc, argv, &a, &status))
		return status;
	if (argc != 1 || !a.baseline || (a.confirmation && !a.screening)) {
		const char *what = "--baseline=RUN is missing";

		if (argc != 1)
			what = "unexpected argument; the baseline is --baseline=RUN";
		else if (a.baseline)
			what = "--confirmation needs --screening";
		log_error("gate: %s", what);
		return EXIT_USAGE;
	}
	if (a.floors && gate_floors_read(&floors, a.floors))
		return EXIT_USAGE;
	status = gate_with_store(&a, &floors);
	gate_floors_free(&floors);
	return status;
}

const struct command cmd_gate = {
	.name = "gate",
	.args = "--baseline=RUN",
	.summary = "measure again what the baseline measured and fail when it has become worse",
	.details =
		"Takes a screening sample; what looks worse beyond its floor is confirmed by a "
		"fresh sample of twice the boots,\n"
		"judged alone. A baseline in virtual time (--deterministic) is compared exactly, "
		"and any change that is no\n"
		"improvement trips. Exit status: 0 passed, 1 tripped or too few boots to tell, 3 "
		"no sample could be taken.",
	.examples =
		"bench gate --baseline=20260314-092653\n"
		"bench gate --baseline=last --metric=throughput_bps --floors=experiments/floors "
		"--junit=gate.xml\n"
		"bench gate --deterministic --baseline=last --markdown=\"$GITHUB_STEP_SUMMARY\"",
	.opts = gate_opts,
	.run = gate_main,
};
