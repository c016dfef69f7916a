// SPDX-License-Identifier: MIT
/* `bench list`: the tables of what there is to run, to set, to measure and to draw. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/figure.h"
#include "base/table.h"
#include "bench/vmms/vmm.h"
#include "bench/bench.h"
#include "bench/modes/knobs.h"
#include "bench/modes/mode.h"
#include "bench/cli/runs.h"
#include "bench/host/substrate.h"
#include "probes/counters.h"
#include "results/modes.h"
#include "workloads/workloads.h"

struct list_args {
	bool json;
	const char *store, *workload, *since;
	uint64_t last;
};

enum list_format { LIST_TABLE, LIST_JSON, LIST_MARKDOWN };

/*
 * Every subject gives rows of the same few strings: a table for people, objects for --json, Markdown for
 * the reference.
 */
struct listing {
	enum list_format format;
	const char *const *columns; /* NULL-terminated */
	size_t column;
	struct table *table;
	json_t *rows, *row;
};

static void markdown_head(const char *const *columns)
{
	for (size_t i = 0; columns[i]; i++)
		printf("| %s ", columns[i]);
	puts("|");
	for (size_t i = 0; columns[i]; i++)
		printf("| --- ");
	puts("|");
}

static void list_start(struct listing *l, const char *const *columns)
{
	l->columns = columns;
	if (l->format == LIST_TABLE)
		l->table = table_new_from(columns);
	else if (l->format == LIST_JSON)
		l->rows = json_array();
	else
		markdown_head(columns);
}

static void markdown_cell(const char *text, bool first)
{
	printf("| %s", text_if(first && *text, "`"));
	help_markdown_cell(text);
	printf("%s ", text_if(first, "`"));
}

static void json_cell(struct listing *l, const char *text)
{
	if (!l->column)
		json_array_append_new(l->rows, l->row = json_object());
	json_object_set_new(l->row, l->columns[l->column], json_string(text));
}

static void list_cell(struct listing *l, const char *text)
{
	if (l->format == LIST_TABLE)
		table_cell(l->table, "%s", text);
	else if (l->format == LIST_JSON)
		json_cell(l, text);
	else
		markdown_cell(text, !l->column);
	if (l->columns[++l->column])
		return;
	l->column = 0;
	if (l->format == LIST_MARKDOWN)
		puts("|");
}

static void list_end(struct listing *l)
{
	if (l->format == LIST_TABLE)
		table_print(l->table, stdout);
	if (l->format == LIST_JSON) {
		json_print(l->rows, stdout, JSON_INDENT(1));
		json_decref(l->rows);
	}
}

/* none: on this machine itself, mode host. */
static const char *guests_text(unsigned guests)
{
	static const char *const text[] = {"",	   "linux",	  "micro",	 "linux, micro",
					   "none", "linux, none", "micro, none", "linux, micro, none"};

	return text[guests & (GUEST_LINUX | GUEST_MICRO | GUEST_NONE)];
}

static void list_workloads(struct listing *l)
{
	static const char *const columns[] = {"name", "runs here", "guests", "what it does", NULL};

	list_start(l, columns);
	for (size_t i = 0; workload_table[i]; i++) {
		const struct workload *w = workload_table[i];
		unsigned kvm = w->guests & GUEST_LINUX ? NEED_KVM_LINUX : NEED_KVM;

		list_cell(l, w->name);
		list_cell(l, host_lacks(w->needs | kvm, NULL) ? "lab" : "host");
		list_cell(l, guests_text(w->guests));
		list_cell(l, w->summary);
	}
}

/* What the paths of this name lead to. */
static const char *kinds_text(const char *mode)
{
	bool net = mode_find(mode, MODE_NET), block = mode_find(mode, MODE_BLOCK);

	if (net && block)
		return "network, disk";
	return block ? "disk" : "network";
}

static void list_modes(struct listing *l)
{
	static const char *const columns[] = {"name", "of", "device path", NULL};

	list_start(l, columns);
	for (const struct mode_info *m = mode_info_table; m->name; m++) {
		list_cell(l, m->name);
		list_cell(l, kinds_text(m->name));
		list_cell(l, m->text);
	}
}

/* The modes that have the knob, or what it is of. */
static void list_knob_home(struct listing *l, const struct knob_info *k)
{
	static const char *const homes[] = {
		[KNOB_MACHINE] = "machine", [KNOB_HARNESS] = "harness", [KNOB_KVM] = "KVM"};
	char *modes = knob_modes(k);

	list_cell(l, text_or(modes, homes[k->home]));
	free(modes);
}

static void list_knobs(struct listing *l)
{
	static const char *const columns[] = {"name", "values", "of", "what it does", NULL};

	list_start(l, columns);
	for (const struct knob_info *k = knob_table; k->name; k++) {
		list_cell(l, k->name);
		list_cell(l, k->values);
		list_knob_home(l, k);
		list_cell(l, k->help);
	}
	for (const struct job_key *k = job_keys; k->name; k++) {
		list_cell(l, k->name);
		list_cell(l, text_or(k->def, "-"));
		list_cell(l, "job (default shown)");
		list_cell(l, k->help);
	}
}

static void list_metrics(struct listing *l)
{
	static const char *const columns[] = {"name", "unit", "better", "what it is", NULL};
	static const char *const better[] = {"lower", "-", "higher"};

	list_start(l, columns);
	for (const struct metric_info *m = metric_table; m->name; m++) {
		list_cell(l, m->name);
		list_cell(l, m->unit);
		list_cell(l, better[m->better + 1]);
		list_cell(l, m->text);
	}
}

static void list_figures(struct listing *l)
{
	static const char *const columns[] = {"name", "title", "needs", "supplied by", NULL};

	list_start(l, columns);
	for (const struct figure *f = figure_table; f->name; f++) {
		list_cell(l, f->name);
		list_cell(l, f->title);
		list_cell(l, f->needs);
		list_cell(l, f->supply);
	}
}

static void list_vmms(struct listing *l)
{
	static const char *const columns[] = {"name", "version", "usable here", "modes",
					      "transports", "has not",	"what it is", NULL};

	list_start(l, columns);
	for (size_t i = 0; vmm_adapters[i]; i++) {
		const struct vmm_adapter *vmm = vmm_adapters[i];
		char *version = vmm_version(vmm, ""), *why = vmm_unusable(vmm, ""), *modes = vmm_modes(vmm);

		list_cell(l, vmm->name);
		list_cell(l, text_or(version, "-"));
		list_cell(l, text_or(why, "yes"));
		list_cell(l, modes);
		list_cell(l, text_or(vmm->transports, "pci"));
		list_cell(l, vmm->lacks);
		list_cell(l, vmm->summary);
		free(modes);
		free(why);
		free(version);
	}
}

static const struct {
	const char *name;
	void (*list)(struct listing *l);
} subjects[] = {
	{"workloads", list_workloads}, {"modes", list_modes},     {"knobs", list_knobs},
	{"metrics", list_metrics},     {"figures", list_figures}, {"vmms", list_vmms},
};

static bool list_subject(const char *name, enum list_format format)
{
	struct listing l = {.format = format};

	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++) {
		if (strcmp(name, subjects[i].name))
			continue;
		subjects[i].list(&l);
		list_end(&l);
		return true;
	}
	return false;
}

void list_markdown(const char *subject)
{
	BUG_ON(!list_subject(subject, LIST_MARKDOWN));
}

static const struct opt list_opts[] = {
	{"json", 'j', OPT_FLAG, offsetof(struct list_args, json), NULL, "as JSON"},
	{"store", 0, OPT_STR, offsetof(struct list_args, store), "DIR", "runs: of this store"},
	{"workload", 'w', OPT_STR, offsetof(struct list_args, workload), "NAME", "runs: of this workload"},
	{"since", 0, OPT_STR, offsetof(struct list_args, since), "DATE",
	 "runs: started on or after it (2026-03-14)"},
	{"last", 'n', OPT_COUNT, offsetof(struct list_args, last), "N", "runs: the newest N"},
	OPT_END,
};

static int unknown_subject(const char *name)
{
	const char *names[ARRAY_SIZE(subjects) + 3] = {"runs", "counters"}, *near;

	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++)
		names[i + 2] = subjects[i].name;
	near = opts_nearest(name, names);
	log_error("list: nothing called %s%s%s; expected workloads, modes, knobs, metrics, figures, vmms, counters or runs", name,
		  text_if(near, "; did you mean "), text_or(near, ""));
	return EXIT_USAGE;
}

static int list_main(int argc, char **argv)
{
	enum list_format format = LIST_TABLE;
	const char *what = "workloads";
	struct list_args a = {0};
	int status;

	if (!bench_parse(&cmd_list, &argc, argv, &a, &status))
		return status;
	if (argc > 1)
		what = argv[1];
	if (a.json)
		format = LIST_JSON;
	if (!strcmp(what, "runs")) {
		struct run_filter f = {.workload = a.workload, .since = a.since, .last = a.last};

		return runs_list(a.store, &f, a.json);
	}
	if (!strcmp(what, "counters")) {
		counters_list(stdout);
		return EXIT_OK;
	}
	if (list_subject(what, format))
		return EXIT_OK;
	return unknown_subject(what);
}

const struct command cmd_list = {
	.name = "list",
	.args = "[workloads|modes|knobs|metrics|figures|vmms|counters|runs]",
	.summary = "what there is to run, to set, to measure and to draw",
	.examples = "bench list\nbench list knobs\nbench list runs --last=10\nbench list metrics --json",
	.opts = list_opts,
	.run = list_main,
};
