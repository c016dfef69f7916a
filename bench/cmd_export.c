// SPDX-License-Identifier: MIT
/* `bench export`: records for other programs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "bench/bench.h"
#include "bench/cli/runs.h"
#include "results/export.h"

struct export_args {
	const char *store, *format, *out;
	bool all;
};

static const struct opt export_opts[] = {
	{"format", 'f', OPT_STR, offsetof(struct export_args, format),
	 "json|csv|openmetrics|bmf|ktap|lava|kcidb", "default json"},
	{"out", 'o', OPT_STR, offsetof(struct export_args, out), "FILE",
	 "write there instead of stdout"},
	{"all", 0, OPT_FLAG, offsetof(struct export_args, all), NULL, "every run of the store"},
	{"store", 0, OPT_STR, offsetof(struct export_args, store), "DIR", "look there for runs"},
	OPT_END,
};

static int load_all(const char *dir, struct fig_set *set)
{
	struct store *store;
	struct run_row *rows;
	size_t n;
	int err = store_open(&store, dir);

	*set = (struct fig_set){NULL, 0};
	if (err)
		return err;
	err = store_list(store, NULL, &rows, &n);
	set->rec = xcalloc(n, sizeof(json_t *));
	for (size_t i = 0; !err && i < n; i++) {
		set->rec[set->n] = store_load(store, rows[i].id);
		set->n += set->rec[set->n] != NULL;
	}
	if (!err)
		run_rows_free(rows, n);
	store_close(store);
	return err;
}

/* The file is written whole or not at all, because a scraper may read it at any time. */
static int write_out(const struct export_format *format, const struct fig_set *set,
		     const char *path)
{
	struct file_stream s;
	int err;

	if (!path) {
		format->write(set->rec, set->n, stdout);
		return 0;
	}
	if (!file_stream(&s))
		return -errno;
	format->write(set->rec, set->n, s.f);
	err = file_stream_save(&s, path);
	if (err)
		log_error("%s: %s", path, strerror(-err));
	return err;
}

static int export_main(int argc, char **argv)
{
	struct export_args a = {.format = "json"};
	struct fig_set set;
	int status, err;

	if (!bench_parse(&cmd_export, &argc, argv, &a, &status))
		return status;
	if (a.all == (argc > 1)) {
		log_error("export: %s; see bench list runs",
			  a.all ? "either runs or --all" : "which run? or --all");
		return EXIT_USAGE;
	}
	if (a.all)
		err = load_all(a.store, &set);
	else
		err = runs_load(a.store, argc, argv, &set);
	if (err)
		return EXIT_CANNOT;
	err = write_out(export_find(a.format), &set, a.out);
	runs_free(&set);
	return status_of(err);
}

const struct command cmd_export = {
	.name = "export",
	.args = "RUN... | --all",
	.summary = "stored runs as JSON, CSV, OpenMetrics, Bencher's BMF, KTAP, LAVA's test cases or KCIDB's report",
	.examples =
		"bench export last --format=csv > last.csv\n"
		"bench export --all --format=openmetrics --out /var/lib/node_exporter/exitlab.prom",
	.opts = export_opts,
	.run = export_main,
};
