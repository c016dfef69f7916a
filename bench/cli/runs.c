// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "bench/cli/runs.h"
#include "results/record.h"
#include "workloads/workloads.h"

int runs_load(const char *store_dir, int argc, char **argv, struct fig_set *out)
{
	struct store *store = NULL;
	int err = store_open(&store, store_dir);

	*out = (struct fig_set){xcalloc((size_t)argc + 1, sizeof(*out->rec)), 0};
	for (int i = 1; !err && i < argc; i++) {
		out->rec[out->n] = store_load(store, argv[i]);
		if (out->rec[out->n])
			out->n++;
		else
			err = -ENOENT;
	}
	if (store)
		store_close(store);
	if (err)
		runs_free(out);
	return err;
}

int runs_load_or_newest(const char *store_dir, int argc, char **argv, struct fig_set *out)
{
	char last[] = "last", *newest[] = {argv[0], last, NULL};

	if (argc < 2)
		return runs_load(store_dir, 2, newest, out);
	return runs_load(store_dir, argc, argv, out);
}

void runs_free(struct fig_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		json_decref(set->rec[i]);
	free(set->rec);
	*set = (struct fig_set){NULL, 0};
}

const char *workload_headline(const char *name)
{
	const struct workload *w = workload_find(name);

	if (!w)
		return NULL;
	return w->metrics;
}

const char *runs_headline(const json_t *rec)
{
	return workload_headline(record_of(rec).workload);
}
