// SPDX-License-Identifier: MIT
/* `bench list runs`: the runs of a store as a table or as JSON. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/table.h"
#include "bench/cli/runs.h"

static void print_rows(const struct run_row *rows, size_t n)
{
	struct table *t = table_new(
		8, "run:", "started:", "workload:", "mode:", "vmm:", "where:", ":boots", "state:");

	for (size_t i = 0; i < n; i++) {
		const struct run_row *r = &rows[i];

		table_cell(t, "%s", r->id);
		table_cell(t, "%s", r->started);
		table_cell(t, "%s", r->workload);
		table_cell(t, "%s%s%s", text_or(r->mode, "-"), text_if(*r->knobs, " "), r->knobs);
		table_cell(t, "%s", text_or(r->vmm, "-"));
		table_cell(t, "%s%s", r->substrate,
			   text_if(!strcmp(r->time_base, "virtual"), " (deterministic)"));
		table_cell(t, "%d", r->ok_samples);
		if (r->ok)
			table_cell(t, "ok");
		else if (r->ok_samples < r->samples)
			table_cell(t, "%d of %d failed", r->samples - r->ok_samples, r->samples);
		else
			table_cell(t, "a check failed");
	}
	table_print(t, stdout);
}

static void print_rows_json(const struct run_row *rows, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		const struct run_row *r = &rows[i];

		json_array_append_new(
			list,
			json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:b,s:i,s:i}", "id", r->id,
				  "started", r->started, "workload", r->workload, "mode", r->mode,
				  "vmm", r->vmm, "guest", r->guest, "substrate", r->substrate,
				  "time_base", r->time_base, "series", r->series, "ok", r->ok,
				  "samples", r->samples, "ok_samples", r->ok_samples));
	}
	json_print(list, stdout, JSON_INDENT(1));
	json_decref(list);
}

int runs_list(const char *dir, const struct run_filter *filter, bool json)
{
	struct store *store;
	struct run_row *rows;
	size_t n, bad;

	if (store_open(&store, dir))
		return EXIT_CANNOT;
	if (store_list(store, filter, &rows, &n)) {
		store_close(store);
		return EXIT_CANNOT;
	}
	if (json)
		print_rows_json(rows, n);
	else if (n)
		print_rows(rows, n);
	else if (filter && (filter->workload || filter->mode || filter->vmm || filter->substrate ||
			    filter->since))
		printf("no run in %s fits; `bench list runs` shows all\n", store_dir(store));
	else
		printf("no runs in %s; make one with `bench run boot`\n", store_dir(store));
	bad = store_unreadable(store);
	if (bad == 1)
		log_warn("1 run directory of %s cannot be read; `bench import --all` names it", store_dir(store));
	else if (bad)
		log_warn("%zu run directories of %s cannot be read; `bench import --all` names them", bad,
			 store_dir(store));
	run_rows_free(rows, n);
	store_close(store);
	return EXIT_OK;
}
