// SPDX-License-Identifier: MIT
/* `bench accept`: a change of a metric that is meant, with its reason, for the gate and the dashboard. */
#include "bench/bench.h"
#include "results/query.h"

struct accept_args {
	const char *store, *why;
};

static const struct opt accept_opts[] = {
	{"why", 'w', OPT_STR, offsetof(struct accept_args, why), "TEXT",
	 "the reason, kept with the run (required)"},
	{"store", 0, OPT_STR, offsetof(struct accept_args, store), "DIR", "where the run is"},
	OPT_END,
};

static int accept_main(int argc, char **argv)
{
	struct accept_args a = {0};
	struct store *store;
	int status, err = 0;

	if (!bench_parse(&cmd_accept, &argc, argv, &a, &status))
		return status;
	if (argc < 3) {
		log_error("accept: expected RUN METRIC...");
		return EXIT_USAGE;
	}
	if (!a.why || !*a.why) {
		log_error("accept: --why=TEXT is missing: the next reader will ask");
		return EXIT_USAGE;
	}
	if (store_open(&store, a.store))
		return EXIT_CANNOT;
	for (int i = 2; i < argc && !err; i++)
		err = store_accept(store, argv[1], argv[i], a.why);
	store_close(store);
	return status_of(err);
}

const struct command cmd_accept = {
	.name = "accept",
	.args = "RUN METRIC...",
	.summary = "mark a series' new level as right: its history counts anew from this run on",
	.examples = "bench accept last throughput_bps --why \"new kernel, checked by hand\"",
	.opts = accept_opts,
	.run = accept_main,
};
