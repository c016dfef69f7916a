// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/figure.h"
#include "base/table.h"
#include "bench/adapter.h"
#include "bench/bench.h"
#include "bench/knobs.h"
#include "bench/runs.h"
#include "bench/substrate.h"
#include "probes/counters.h"
#include "workloads/workloads.h"

struct list_args {
	bool json;
	const char *store, *workload, *since;
	uint64_t last;
};

/* Every subject gives rows of the same few strings: a table for people, objects for --json. */
struct listing {
	const char *const *columns; /* NULL-terminated */
	struct table *table;
	json_t *rows, *row;
	size_t column;
};

static void list_start(struct listing *l, const char *const *columns, bool json)
{
	*l = (struct listing){.columns = columns, .rows = json ? json_array() : NULL};
	if (!json)
		l->table = table_new(4, columns[0], columns[1], columns[2] ? columns[2] : "",
				     columns[2] && columns[3] ? columns[3] : "");
}

static void list_cell(struct listing *l, const char *text)
{
	size_t n = 0;

	if (l->table) {
		table_cell(l->table, "%s", text);
		for (n = 0; l->columns[n]; n++)
			;
		if (++l->column == n) {
			for (; n < 4; n++)
				table_cell(l->table, "%s", "");
			l->column = 0;
		}
		return;
	}
	if (!l->row)
		l->row = json_object();
	json_object_set_new(l->row, l->columns[l->column], json_string(text));
	if (!l->columns[++l->column]) {
		json_array_append_new(l->rows, l->row);
		l->row = NULL;
		l->column = 0;
	}
}

static void list_end(struct listing *l)
{
	if (l->table) {
		table_print(l->table, stdout);
		return;
	}
	json_dumpf(l->rows, stdout, JSON_INDENT(1));
	putchar('\n');
	json_decref(l->rows);
}

static void list_workloads(struct listing *l, bool json)
{
	static const char *const columns[] = {"name", "runs here", "guests", "what it does", NULL};

	list_start(l, columns, json);
	for (size_t i = 0; workload_table[i]; i++) {
		const struct workload *w = workload_table[i];
		unsigned kvm = w->guests & GUEST_LINUX ? NEED_KVM_LINUX : NEED_KVM;

		list_cell(l, w->name);
		list_cell(l, host_lacks(w->needs | kvm, NULL) ? "lab" : "host");
		list_cell(l, w->guests == GUEST_MICRO  ? "micro"
			     : w->guests & GUEST_MICRO ? "linux, micro"
						       : "linux");
		list_cell(l, w->summary);
	}
}

static void list_modes(struct listing *l, bool json)
{
	static const char *const columns[] = {"name", "device path", NULL};
	static const char *const rows[][2] = {
		{"host", "no VM: agent and peer in two network namespaces, the bare-metal baseline"},
		{"e1000", "Intel 82540EM emulated in the VMM"},
		{"virtio", "virtio-net served by the VMM"},
		{"vhost", "virtio-net served by the kernel's vhost-net"},
		{"vhost-user", "virtio-net served by another process"},
		{"sriov", "a virtual function of a real card, through VFIO"},
	};

	list_start(l, columns, json);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		list_cell(l, rows[i][0]);
		list_cell(l, rows[i][1]);
	}
}

static void list_knobs(struct listing *l, bool json)
{
	static const char *const columns[] = {"name", "values", "of", "what it does", NULL};

	list_start(l, columns, json);
	for (const struct knob_info *k = knob_table; k->name; k++) {
		list_cell(l, k->name);
		list_cell(l, k->values);
		list_cell(l, *k->modes ? k->modes : k->home == KNOB_NET ? "every mode" : "machine");
		list_cell(l, k->help);
	}
	for (const struct job_key *k = job_keys; k->name; k++) {
		list_cell(l, k->name);
		list_cell(l, *k->def ? k->def : "-");
		list_cell(l, "job (default shown)");
		list_cell(l, k->help);
	}
}

static void list_metrics(struct listing *l, bool json)
{
	static const char *const columns[] = {"name", "unit", "better", "what it is", NULL};
	static const char *const better[] = {"lower", "-", "higher"};

	list_start(l, columns, json);
	for (const struct metric_info *m = metric_table; m->name; m++) {
		list_cell(l, m->name);
		list_cell(l, m->unit);
		list_cell(l, better[m->better + 1]);
		list_cell(l, m->text);
	}
}

static void list_figures(struct listing *l, bool json)
{
	static const char *const columns[] = {"name", "title", "needs", "supplied by", NULL};

	list_start(l, columns, json);
	for (const struct figure *f = figure_table; f->name; f++) {
		list_cell(l, f->name);
		list_cell(l, f->title);
		list_cell(l, f->needs);
		list_cell(l, f->supply);
	}
}

static void list_vmms(struct listing *l, bool json)
{
	static const char *const columns[] = {"name", "usable here", "what it is", NULL};

	list_start(l, columns, json);
	for (size_t i = 0; vmm_adapters[i]; i++) {
		char *why = vmm_adapters[i]->unusable();

		list_cell(l, vmm_adapters[i]->name);
		list_cell(l, why ? why : "yes");
		list_cell(l, vmm_adapters[i]->summary);
		free(why);
	}
}

static const struct {
	const char *name;
	void (*list)(struct listing *l, bool json);
} subjects[] = {
	{"workloads", list_workloads}, {"modes", list_modes},     {"knobs", list_knobs},
	{"metrics", list_metrics},     {"figures", list_figures}, {"vmms", list_vmms},
};

static const struct opt list_opts[] = {
	{"json", 'j', OPT_FLAG, offsetof(struct list_args, json), NULL, "as JSON"},
	{"store", 0, OPT_STR, offsetof(struct list_args, store), "DIR", "runs: of this store"},
	{"workload", 'w', OPT_STR, offsetof(struct list_args, workload), "NAME", "runs: of this workload"},
	{"since", 0, OPT_STR, offsetof(struct list_args, since), "DATE",
	 "runs: started on or after it (2026-03-14)"},
	{"last", 'n', OPT_U64, offsetof(struct list_args, last), "N", "runs: the newest N"},
	OPT_END,
};

static int unknown_subject(const char *name)
{
	const char *names[ARRAY_SIZE(subjects) + 3] = {"runs", "counters"}, *near;

	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++)
		names[i + 2] = subjects[i].name;
	near = opts_nearest(name, names);
	log_error("list: nothing called %s%s%s; expected workloads, modes, knobs, metrics, figures, vmms, counters or runs", name,
		  near ? "; did you mean " : "", near ? near : "");
	return EXIT_USAGE;
}

static int list_main(int argc, char **argv)
{
	struct list_args a = {0};
	struct listing l;
	int status;
	const char *what;

	if (!bench_parse(&cmd_list, &argc, argv, &a, &status))
		return status;
	what = argc > 1 ? argv[1] : "workloads";
	if (!strcmp(what, "runs")) {
		struct run_filter f = {.workload = a.workload, .since = a.since, .last = a.last};

		return runs_list(a.store, &f, a.json);
	}
	if (!strcmp(what, "counters")) {
		counters_list(stdout);
		return EXIT_OK;
	}
	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++) {
		if (strcmp(what, subjects[i].name))
			continue;
		subjects[i].list(&l, a.json);
		list_end(&l);
		return EXIT_OK;
	}
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
