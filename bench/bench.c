// SPDX-License-Identifier: MIT
#include "bench/bench.h"

bool bench_parse(const struct command *cmd, int *argc, char **argv, void *dest, int *status)
{
	int err = opts_parse("bench", cmd, argc, argv, dest);

	*status = EXIT_OK;
	if (err < 0)
		*status = EXIT_USAGE;
	return err == 0;
}
