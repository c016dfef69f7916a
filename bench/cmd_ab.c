// SPDX-License-Identifier: MIT
/* bench ab: two builds, kernels or settings, interleaved in one run until they can be told apart. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/ab_report.h"
#include "analysis/gate_report.h"
#include "base/escape.h"
#include "bench/bench.h"
#include "bench/cli/runs.h"
#include "bench/host/outer.h"
#include "bench/plan/sides.h"
#include "bench/run/run.h"

#define INTERRUPTED (128 + SIGINT)

struct ab_args {
	struct opt_list metric;
	const char *floors, *margin;
	uint64_t limit;
	bool json;
};

static const struct opt ab_opts[] = {
	{"metric", 'm', OPT_LIST, offsetof(struct ab_args, metric), "NAME",
	 "judge only this one (may be given several times)"},
	{"floors", 0, OPT_STR, offsetof(struct ab_args, floors), "FILE",
	 "lines METRIC RELATIVE% [ABSOLUTE] (default: * 1%, in virtual time * 0%)"},
	{"margin", 0, OPT_STR, offsetof(struct ab_args, margin), "PCT",
	 "a worsening that has to be excluded (5%): go on until it is, else undecided"},
	{"limit", 'l', OPT_COUNT, offsetof(struct ab_args, limit), "N",
	 "pairs of boots at most (default 40; in the lab 20); in virtual time boots of each (2)"},
	{"json", 'j', OPT_FLAG, offsetof(struct ab_args, json), NULL, "the verdict as JSON"},
	OPT_END,
};

/* What was asked, from the command line on. */
struct ab_run {
	struct ab_args args;
	const char *workload;
	struct run_args run;
	struct side side[2];
	struct plan alone[2], plan;
	struct plan_pairs pairs;
	struct strlist words;
	struct gate_floors floors;
	const char **metrics;
	struct ab_opts judge;
};

/* ---- command line ---- */

/* Where the plan begins: behind "--". */
static int split_at_dashes(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--"))
			return i;
	return argc;
}

static int parse_margin(const char *text, double *margin)
{
	char *end;

	*margin = 0;
	if (!text)
		return 0;
	*margin = strtod(text, &end) / 100;
	if (end != text && *margin > 0 && (!*end || !strcmp(end, "%")))
		return 0;
	log_error("ab: --margin=%s: expected a percentage above 0, e.g. 5%%", text);
	return -EINVAL;
}

static void add_word(void *words, const char *word)
{
	strlist_add(words, word);
}

/* For a bench inside a lab; the limit is the outer one's to say. */
static void make_words(struct ab_run *r)
{
	struct ab_args args = r->args;

	args.limit = 0;
	strlist_add(&r->words, "ab");
	opts_emit(ab_opts, &args, add_word, &r->words);
	strlist_add(&r->words, r->side[0].text);
	strlist_add(&r->words, r->side[1].text);
}

static int make_sides(struct ab_run *r, char **text)
{
	int err = 0;

	for (int i = 0; i < 2 && !err; i++) {
		err = side_parse(&r->side[i], text[i], &r->run);
		if (!err)
			err = side_plan(&r->alone[i], r->workload, &r->side[i]);
	}
	return err;
}

static int make_judge(struct ab_run *r)
{
	int err = parse_margin(r->args.margin, &r->judge.margin);

	if (!err && r->args.floors)
		err = gate_floors_read(&r->floors, r->args.floors);
	r->metrics = xcalloc(r->args.metric.n + 1, sizeof(*r->metrics));
	for (size_t i = 0; i < r->args.metric.n; i++)
		r->metrics[i] = r->args.metric.item[i];
	r->judge.metrics = r->args.metric.n ? r->metrics : NULL;
	r->judge.headline = workload_headline(r->workload);
	r->judge.floors = &r->floors;
	if (!err && r->args.limit > AB_LIMIT_MAX) {
		log_error("ab: --limit: at most %d pairs", AB_LIMIT_MAX);
		err = -EINVAL;
	}
	return err;
}

/* ---- looks ---- */

static unsigned look_at(void *ctx, const json_t *a, const json_t *b, unsigned rounds)
{
	struct ab_run *r = ctx;
	struct ab ab;
	unsigned next;
	char *line;

	r->judge.limit = r->plan.reps;
	if (!rounds)
		return (unsigned)ab_next_look(0, r->judge.limit);
	ab_judge(&ab, a, b, rounds, &r->judge);
	line = ab_line(&ab);
	log_info("%zu pairs, look %zu of %zu: %s", ab.pairs, ab.look, ab.looks, line);
	next = ab.decided ? 0 : (unsigned)ab.next;
	free(line);
	ab_free(&ab);
	return next;
}

/* ---- what it says ---- */

static struct ab_names names_of(const struct ab_run *r, const json_t *a, const json_t *b)
{
	return (struct ab_names){.side = {r->side[0].text, r->side[1].text},
				 .run = {record_of(a).id, record_of(b).id},
				 .series = record_series(a)};
}

/* Takes it over. */
static void print_json(json_t *out)
{
	json_print(out, stdout, JSON_INDENT(2));
	json_decref(out);
}

static int say_exact(const struct ab_run *r, const json_t *a, const json_t *b, const struct gate *g)
{
	struct ab_names names = names_of(r, a, b);

	if (r->args.json) {
		print_json(ab_exact_json(g, &names));
	} else {
		ab_write_exact(g, &names, stdout);
		if (g->tripped)
			gate_print_exits(a, b, stdout);
	}
	free(names.series);
	if (g->tripped)
		return EXIT_FAILED;
	return g->undecided ? EXIT_UNDECIDED : EXIT_OK;
}

static json_t *take_b(void *ctx, const char *what)
{
	(void)what;
	return json_incref(ctx);
}

/* In virtual time the boots of a side are equal, and any change is one. */
static int judge_exact(const struct ab_run *r, const json_t *a, json_t *b)
{
	const struct gate_opts opts = {
		.metrics = r->judge.metrics, .headline = r->judge.headline, .floors = r->judge.floors};
	json_t *screen = NULL, *confirm = NULL;
	struct gate g = {0};
	int status = EXIT_UNDECIDED;

	if (!gate_run(&g, a, &(struct gate_source){take_b, b}, &opts, &screen, &confirm))
		status = say_exact(r, a, b, &g);
	gate_free(&g);
	json_decref(screen);
	json_decref(confirm);
	return status;
}

static int judge_pairs(struct ab_run *r, const json_t *a, const json_t *b)
{
	struct ab_names names = names_of(r, a, b);
	static const int status[] = {EXIT_OK, EXIT_OK, EXIT_FAILED, EXIT_UNDECIDED};
	enum ab_verdict verdict;
	struct ab ab;

	r->judge.limit = r->plan.reps;
	ab_judge(&ab, a, b, (size_t)record_plan_of(a).reps, &r->judge);
	verdict = ab.verdict;
	if (r->args.json)
		print_json(ab_json(&ab, &names, &r->judge));
	else
		ab_write_text(&ab, &names, &r->judge, stdout);
	free(names.series);
	ab_free(&ab);
	return status[verdict];
}

static int judge(struct ab_run *r, const struct run_result *result)
{
	const json_t *a = json_array_get(result->records, 0);
	json_t *b = json_array_get(result->records, 1);

	if (outer_told().inner)
		return EXIT_OK;
	if (!a || !b) {
		log_error("ab: no good boot of %s; nothing to compare", a ? "B" : "A");
		return EXIT_UNDECIDED;
	}
	return r->run.deterministic ? judge_exact(r, a, b) : judge_pairs(r, a, b);
}

/* ---- the command ---- */

/* A boot that failed is the pairs' to count, and what could not be made is no verdict on the build. */
static int carry_out(struct ab_run *r, const struct run_call *call)
{
	struct run_result result;
	int status;

	sides_join(&r->plan, r->alone, &r->run);
	r->plan.pairs = &r->pairs;
	r->pairs = (struct plan_pairs){r->alone, &r->words, look_at, r};
	status = run_made(&r->plan, (unsigned)r->args.limit, call, &result);
	if (status == EXIT_OK || status == EXIT_FAILED)
		status = r->run.dry_run ? EXIT_OK : judge(r, &result);
	else if (status != INTERRUPTED && status != EXIT_USAGE && !outer_told().inner)
		status = EXIT_UNDECIDED;
	json_decref(result.records);
	sides_free(&r->plan);
	return status;
}

static int ab_with_plan(struct ab_run *r, char **sides, int argc, char **argv)
{
	struct run_call call = {.argv = json_pack("[ss]", "bench", "ab")};
	int status, err;

	for (int i = 0; i < 2; i++)
		json_array_append_new(call.argv, json_string(sides[i]));
	json_array_append_new(call.argv, json_string("--"));
	for (int i = 1; i < argc; i++)
		json_array_append_new(call.argv, json_string(argv[i]));
	if (!bench_parse(&cmd_run, &argc, argv, &r->run, &status))
		goto out;
	status = EXIT_USAGE;
	if (argc != 2 || r->run.reps || r->run.overhead) {
		log_error("ab: behind -- expected one workload with options of bench run, without --reps or --overhead");
		goto out;
	}
	r->workload = argv[1];
	call.options = run_options_json(&r->run);
	err = make_judge(r);
	if (!err)
		err = make_sides(r, sides);
	if (err == -ENOTSUP)
		status = EXIT_CANNOT;
	if (err)
		goto out;
	make_words(r);
	status = carry_out(r, &call);
out:
	json_decref(call.argv);
	json_decref(call.options);
	return status;
}

static void ab_run_free(struct ab_run *r)
{
	for (int i = 0; i < 2; i++) {
		plan_free(&r->alone[i]);
		side_free(&r->side[i]);
	}
	strlist_free(&r->words);
	gate_floors_free(&r->floors);
	free(r->metrics);
}

static int ab_main(int argc, char **argv)
{
	int at = split_at_dashes(argc, argv), own = at, status;
	struct ab_run r = {.args = {.json = false}};

	if (!bench_parse(&cmd_ab, &own, argv, &r.args, &status))
		return status;
	if (own != 3 || at == argc) {
		log_error("ab: expected A B -- WORKLOAD [options of bench run]; see bench ab --help");
		return EXIT_USAGE;
	}
	status = ab_with_plan(&r, argv + 1, argc - at, argv + at);
	ab_run_free(&r);
	return status;
}

const struct command cmd_ab = {
	.name = "ab",
	.args = "A B -- WORKLOAD [options of bench run]",
	.summary = "two builds, kernels or settings, interleaved until it is clear whether B is worse",
	.details =
		"A and B are each a VMM (builtin, qemu, qemu:accel=tcg), a build of one (builtin:PATH, qemu:PATH; of ours the\n"
		"build directory will do), a guest kernel (kernel:NAME) or settings (K=V[,K=V...]); the plan behind -- is the\n"
		"same for both. They boot in pairs whose order is drawn, so that nothing that lasts (the machine's state of\n"
		"the hour, a drift) makes one of them look worse. Pairs are added until the verdict is there or the limit is\n"
		"reached; of equal builds at most 1 in 100 is called different, over all metrics and looks together.\n"
		"With --deterministic each side runs in labs of its own and is compared exactly.\n"
		"Exit status: 0 no evidence that B is worse, 1 worse, 125 undecided (boots failed, too few pairs, the margin\n"
		"not excluded), 2 usage: what git bisect run expects. Both records are kept, for bench compare and show.",
	.examples = "bench ab builtin:/tmp/old/build builtin:build -- net-throughput --guest=micro\n"
		    "bench ab qemu:/usr/bin/qemu-system-x86_64 qemu:/opt/qemu/bin/qemu-system-x86_64 -- boot --margin=5%\n"
		    "bench ab event_idx=on event_idx=off -- net-latency --mode=virtio\n"
		    "bench ab kernel:default kernel:newer --limit=14 -- net-throughput --mode=vhost\n"
		    "bench ab builtin:old builtin:new -- net-throughput --mode=virtio --deterministic --work=1M\n"
		    "git bisect run sh -c 'make -s || exit 125; bench ab builtin:/tmp/good builtin:build -- exit-cost'",
	.opts = ab_opts,
	.run = ab_main,
};
