/* SPDX-License-Identifier: MIT */
/* The records that a command line names. */
#ifndef BENCH_RUNS_H
#define BENCH_RUNS_H

#include "analysis/figure.h"

/* Load argv[1..argc-1] from the store (NULL: the default one). 0, or -errno logged; free with runs_free. */
int runs_load(const char *store_dir, int argc, char **argv, struct fig_set *out);
void runs_free(struct fig_set *set);

#endif
