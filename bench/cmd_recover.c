// SPDX-License-Identifier: MIT
/* `bench recover`: undoes what a run that was killed left changed on this host. */
#include <stdio.h>

#include "base/journal.h"
#include "bench/bench.h"

static int recover_main(int argc, char **argv)
{
	int status, n;

	if (!bench_parse(&cmd_recover, &argc, argv, NULL, &status))
		return status;
	n = journal_recover();
	if (n < 0)
		return EXIT_FAILED;
	if (!n)
		puts("nothing to recover");
	return EXIT_OK;
}

static const struct opt recover_opts[] = {OPT_END};

const struct command cmd_recover = {
	.name = "recover",
	.summary = "undo what a killed run left on this host (every run does it first)",
	.examples = "bench recover",
	.opts = recover_opts,
	.run = recover_main,
};
