// SPDX-License-Identifier: MIT
/* `bench dashboard`: a page a series of runs, from the store. */
#include <stdlib.h>
#include <string.h>

#include "analysis/dashboard.h"
#include "base/clock.h"
#include "bench/bench.h"
#include "bench/cli/runs.h"

struct dashboard_args {
	const char *out, *since, *store;
	struct opt_list metric;
};

static const struct opt dashboard_opts[] = {
	{"out", 'o', OPT_STR, offsetof(struct dashboard_args, out), "DIR",
	 "folder of the site (default: dashboard)"},
	{"since", 0, OPT_STR, offsetof(struct dashboard_args, since), "DATE",
	 "leave out older runs: 2026, 2026-03, 2026-03-14"},
	{"metric", 'm', OPT_LIST, offsetof(struct dashboard_args, metric), "NAME",
	 "only these metrics (default: the usual ones)"},
	{"store", 0, OPT_STR, offsetof(struct dashboard_args, store), "DIR",
	 "where the records are"},
	OPT_END,
};

static int build_dashboard(const struct dashboard_args *a)
{
	const char **metrics = xcalloc(a->metric.n + 1, sizeof(*metrics));
	struct dashboard_opts opts = {.out_dir = text_or(a->out, "dashboard"),
				      .since = a->since,
				      .headline = workload_headline};
	struct dashboard_stats stats;
	uint64_t start = clock_ns();
	struct store *store;
	int err = store_open(&store, a->store);

	for (size_t i = 0; i < a->metric.n; i++)
		metrics[i] = a->metric.item[i];
	if (a->metric.n)
		opts.metrics = metrics;
	if (!err) {
		err = dashboard_build(store, &opts, &stats);
		store_close(store);
	}
	free(metrics);
	if (err)
		return EXIT_CANNOT;
	log_info("%s/index.html: %zu series, %zu points of %zu runs, built in %.1f s", opts.out_dir,
		 stats.series, stats.points, stats.runs, (double)(clock_ns() - start) / 1e9);
	return EXIT_OK;
}

static int dashboard_main(int argc, char **argv)
{
	struct dashboard_args a = {0};
	int status;

	if (!bench_parse(&cmd_dashboard, &argc, argv, &a, &status))
		return status;
	if (argc > 1) {
		log_error("dashboard: unexpected argument %s; see bench dashboard --help", argv[1]);
		return EXIT_USAGE;
	}
	for (size_t i = 0; i < a.metric.n; i++) {
		if (metric_find_kind(a.metric.item[i]))
			continue;
		log_error("--metric=%s: no such metric; see bench list metrics", a.metric.item[i]);
		return EXIT_USAGE;
	}
	return build_dashboard(&a);
}

const struct command cmd_dashboard = {
	.name = "dashboard",
	.args = "",
	.summary = "a static site of all runs: history, changes of level, exits over time",
	.details =
		"Open DIR/index.html in a browser, from disk or a web server; it needs no network. "
		"Series are workload, mode,\n"
		"VMM, settings and substrate; a change of level stays flagged for 60 runs or until "
		"`bench accept`.",
	.examples =
		"bench dashboard --out site\nbench dashboard --since 2026-01 --metric exits_per_packet",
	.opts = dashboard_opts,
	.run = dashboard_main,
};
