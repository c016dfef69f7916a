// SPDX-License-Identifier: MIT
/* `bench life`: where one packet, or a disk's request, is: from the doorbell to the other end and back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/life.h"
#include "bench/bench.h"
#include "bench/cli/draw.h"
#include "bench/cli/runs.h"
#include "bench/run/run.h"
#include "bench/sample/observer.h"

#define TRANSACTIONS 200

struct life_args {
	const char *vmms, *on, *run, *store;
	struct opt_list set;
	struct draw_args draw;
	uint64_t work;
	bool json;
};

#define ARG(name) offsetof(struct life_args, name)
static const struct opt life_opts[] = {
	{"vmm", 0, OPT_STR, ARG(vmms), "V[,V...]", "VMMs, as of bench run (default builtin)"},
	{"set", 's', OPT_LIST, ARG(set), "K=V[,V...]", "a knob or a key of the job, as of bench run"},
	{"work", 'w', OPT_SIZE, ARG(work), "N", "transactions to choose the median of (default 200)"},
	{"on", 0, OPT_STR, ARG(on), "host|lab",
	 "in real time on this machine, or in the lab's own (default: a deterministic lab)"},
	{"run", 0, OPT_STR, ARG(run), "RUN", "of a stored run that was made with --set observer=life; no MODE then"},
	{"out", 'o', OPT_STR, ARG(draw.out), "FILE", "draw it as well: .pdf, .svg or .png"},
	{"width", 0, OPT_STR, ARG(draw.width), "WIDTH", "of the figure: 3.3in (default), 7in, or any in, cm or mm"},
	{"store", 0, OPT_STR, ARG(store), "DIR", "where records are kept"},
	{"json", 'j', OPT_FLAG, ARG(json), NULL, "the steps as JSON"},
	OPT_END,
};

/* ---- what it says ---- */

static int show_record(const struct life_args *a, const json_t *rec, json_t *out)
{
	struct record_sample s;
	struct record_life life;
	const char *why;

	if (!life_find(rec, &s, &life, &why)) {
		log_error("%s: %s", record_plan_of(rec).cell, why);
		return EXIT_FAILED;
	}
	if (a->json)
		json_array_append_new(out, life_json(rec, &s, &life));
	else
		life_print(rec, &s, &life, stdout);
	return life_check(&s, &life).within ? EXIT_OK : EXIT_FAILED;
}

static int draw_set(const struct life_args *a, const struct fig_set *set)
{
	const struct figure *fig = figure_find("life");
	struct fig_target to = {0};

	if (!a->draw.out)
		return EXIT_OK;
	if (draw_target(&a->draw, &to))
		return EXIT_USAGE;
	return draw_all(&a->draw, set, &to, &fig, 1);
}

static int show_set(const struct life_args *a, const struct fig_set *set)
{
	json_t *out = json_array();
	int status = EXIT_OK;

	for (size_t i = 0; i < set->n; i++) {
		int one = show_record(a, set->rec[i], out);

		status = MAX(status, one);
		if (!a->json && i + 1 < set->n)
			putchar('\n');
	}
	if (a->json)
		json_print(set->n == 1 ? json_array_get(out, 0) : out, stdout, JSON_INDENT(2));
	json_decref(out);
	if (status == EXIT_OK)
		status = draw_set(a, set);
	return status;
}

/* ---- where the records come from ---- */

static int show_stored(const struct life_args *a)
{
	char *words[] = {(char *)"life", (char *)a->run, NULL};
	struct fig_set set;
	int status;

	if (runs_load(a->store, 2, words, &set))
		return EXIT_USAGE;
	status = show_set(a, &set);
	runs_free(&set);
	return status;
}

static int show_result(const struct life_args *a, const struct run_result *result)
{
	size_t n = json_array_size(result->records);
	struct fig_set set = {xcalloc(n + 1, sizeof(*set.rec)), n};
	int status;

	for (size_t i = 0; i < n; i++)
		set.rec[i] = json_array_get(result->records, i);
	status = show_set(a, &set);
	free(set.rec);
	return status;
}

/* The first mode says of what kind they are. */
static const char *life_workload(const char *modes)
{
	char *first = xasprintf("%.*s", (int)strcspn(modes, ","), modes);
	bool net = mode_find(first, MODE_NET), block = mode_find(first, MODE_BLOCK);

	free(first);
	if (block && !net)
		return "blk-latency";
	return "net-latency";
}

static int life_run(const struct life_args *a, struct run_args *run, const struct run_call *call)
{
	struct run_result result;
	struct plan plan;
	int status, err = plan_make(&plan, life_workload(run->modes), run);

	if (err)
		return err == -ENOTSUP ? EXIT_CANNOT : EXIT_USAGE;
	status = run_made(&plan, (unsigned)run->reps, call, &result);
	if (status == EXIT_OK)
		status = show_result(a, &result);
	json_decref(result.records);
	plan_free(&plan);
	return status;
}

static void life_set(struct run_args *run, const char *text)
{
	run->set.item = xgrow(run->set.item, run->set.n, sizeof(*run->set.item));
	run->set.item[run->set.n++] = text;
}

/* The guest's comparing is no part of a request's latency, but would be one of the trip. */
static bool life_compares(const struct life_args *a, const char *modes)
{
	bool said = false;

	for (size_t i = 0; i < a->set.n; i++)
		said |= !strncmp(a->set.item[i], "verify=", 7);
	return said || strcmp(life_workload(modes), "blk-latency") != 0;
}

/* The plan that is asked for, as if it had been typed after bench run. */
static int life_measure(const struct life_args *a, const char *modes)
{
	struct run_args run = {
		.modes = modes, .vmms = a->vmms, .on = a->on, .reps = 1, .work = a->work, .store = a->store};
	struct run_call call = {.argv = json_pack("[sss]", "bench", "life", modes)};
	int status;

	run.deterministic = !a->on;
	for (size_t i = 0; i < a->set.n; i++)
		life_set(&run, a->set.item[i]);
	life_set(&run, "observer=" OBSERVER_LIFE);
	if (!life_compares(a, modes))
		life_set(&run, "verify=off");
	call.options = run_options_json(&run);
	status = life_run(a, &run, &call);
	json_decref(call.argv);
	json_decref(call.options);
	free(run.set.item);
	return status;
}

static int life_main(int argc, char **argv)
{
	struct life_args a = {.work = TRANSACTIONS};
	int status;

	if (!bench_parse(&cmd_life, &argc, argv, &a, &status))
		return status;
	if (argc != (a.run ? 1 : 2)) {
		log_error("life: expected one MODE, or --run=RUN; see bench list modes");
		return EXIT_USAGE;
	}
	if (a.run)
		return show_stored(&a);
	return life_measure(&a, argv[1]);
}

const struct command cmd_life = {
	.name = "life",
	.args = "MODE[,MODE...]",
	.summary = "the life of one packet, or of a disk's request: each step there and back, with its time",
	.details =
		"Boots a guest that sends one request at a time (net-latency, blk-latency), records every exit, wake-up, system\n"
		"call, frame and interrupt of the window, and shows the trip whose time is the median: from the guest's doorbell to\n"
		"the peer or, of a disk, to the host's kernel, back into the guest, and on to the next doorbell. Every nanosecond\n"
		"stands in one step; the sum is compared with the latency that the guest measured in the same boot. In a\n"
		"deterministic lab (the default) a nanosecond is virtual and the ladder the same each time.\n"
		"Exit status: 0, or 1 when the sum is not within 5 % of what was measured.",
	.examples = "bench life virtio\n"
		    "bench life vhost,virtio --vmm=builtin,qemu\n"
		    "bench life e1000 --out=e1000.pdf --width=7in\n"
		    "bench life virtio-blk,nvme\n"
		    "bench life virtio --on=lab --json\n"
		    "bench life --run=last",
	.opts = life_opts,
	.run = life_main,
};
