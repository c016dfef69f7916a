/* SPDX-License-Identifier: MIT */
/* The seed of random inputs: SEED=N of the environment repeats a run; every run prints its own. */
#ifndef TESTS_UNIT_SEED_H
#define TESTS_UNIT_SEED_H

#include <stdlib.h>
#include <unistd.h>

static inline unsigned test_seed(void)
{
	const char *wanted = getenv("SEED");
	unsigned seed = wanted ? (unsigned)strtoul(wanted, NULL, 0) : (unsigned)getpid();

	print_message("  SEED=%u\n", seed);
	return seed;
}

#endif
