// SPDX-License-Identifier: MIT
/* bench audit: what to ask of a benchmark, answered from its record. */
#include <stdio.h>
#include <stdlib.h>

#include "analysis/audit.h"
#include "base/escape.h"
#include "base/table.h"
#include "bench/bench.h"
#include "bench/cli/runs.h"

struct audit_args {
	const char *store;
	bool json;
};

static const struct opt audit_opts[] = {
	{"json", 'j', OPT_FLAG, offsetof(struct audit_args, json), NULL, "a list of answers for each run"},
	{"store", 0, OPT_STR, offsetof(struct audit_args, store), "DIR", "look there for runs"},
	OPT_END,
};

static void print_answers(const json_t *rec, const struct audit_row row[AUDIT_QUESTIONS])
{
	struct table *t = table_new(4, "answer:", "question:", "from:", "because:");
	char *series = record_series(rec);

	print_plain(stdout, "%s, run %s\n", series, record_of(rec).id);
	printf("\n");
	for (size_t i = 0; i < AUDIT_QUESTIONS; i++) {
		table_cell(t, "%s", audit_answer_text(row[i].answer));
		table_cell(t, "%s", row[i].question);
		table_cell(t, "%s", row[i].from);
		table_cell(t, "%s", row[i].detail);
	}
	table_print(t, stdout);
	free(series);
}

static void audit_runs(const struct fig_set *set, bool json)
{
	json_t *all = json_object();

	for (size_t i = 0; i < set->n; i++) {
		struct audit_row row[AUDIT_QUESTIONS];

		audit_record(set->rec[i], runs_headline(set->rec[i]), row);
		json_object_set_new(all, record_of(set->rec[i]).id, audit_json(row));
		if (!json && i)
			printf("\n");
		if (!json)
			print_answers(set->rec[i], row);
	}
	if (json)
		json_print(all, stdout, JSON_INDENT(1));
	json_decref(all);
}

static int audit_main(int argc, char **argv)
{
	struct audit_args a = {0};
	struct fig_set set;
	int status;

	if (!bench_parse(&cmd_audit, &argc, argv, &a, &status))
		return status;
	if (runs_load_or_newest(a.store, argc, argv, &set))
		return EXIT_CANNOT;
	audit_runs(&set, a.json);
	runs_free(&set);
	return EXIT_OK;
}

const struct command cmd_audit = {
	.name = "audit",
	.args = "[RUN...]",
	.summary = "what to ask of a benchmark, answered from its record: errors, limits, variance, baseline, platform",
	.details = "The questions of Heiser's \"Systems Benchmarking Crimes\" and of Gregg's checklist for performance\n"
		   "numbers, as far as a record can answer them. \"no\" is no fault of the run: it is what a reader has to know.\n"
		   "Every report has the same answers.",
	.examples = "bench audit last\nbench audit last~1 last --json",
	.opts = audit_opts,
	.run = audit_main,
};
