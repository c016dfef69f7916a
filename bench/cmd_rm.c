// SPDX-License-Identifier: MIT
/* `bench rm`: runs out of the store. */
#include "bench/bench.h"
#include "results/store.h"

struct rm_args {
	const char *store;
};

static const struct opt rm_opts[] = {
	{"store", 0, OPT_STR, offsetof(struct rm_args, store), "DIR", "the store to remove from"},
	OPT_END,
};

static int rm_main(int argc, char **argv)
{
	struct rm_args a = {0};
	struct store *store;
	int status, err = 0;

	if (!bench_parse(&cmd_rm, &argc, argv, &a, &status))
		return status;
	if (argc < 2) {
		log_error("rm: which run? see bench list runs");
		return EXIT_USAGE;
	}
	if (store_open(&store, a.store))
		return EXIT_CANNOT;
	for (int i = 1; i < argc && !err; i++)
		err = store_remove(store, argv[i]);
	store_close(store);
	return status_of(err);
}

const struct command cmd_rm = {
	.name = "rm",
	.args = "RUN...",
	.summary = "remove stored runs with their logs",
	.examples = "bench rm 20260314-092653-1a2b3c\nbench rm last",
	.opts = rm_opts,
	.run = rm_main,
};
