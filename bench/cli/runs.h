/* SPDX-License-Identifier: MIT */
/* The records that a command line names. */
#ifndef BENCH_CLI_RUNS_H
#define BENCH_CLI_RUNS_H

#include "analysis/figure.h"
#include "results/query.h"

/* Load argv[1..argc-1] from the store (NULL: the default one). 0, or -errno logged; free with
 * runs_free. */
int runs_load(const char *store_dir, int argc, char **argv, struct fig_set *out);
/* The same; without a name the newest record. */
int runs_load_or_newest(const char *store_dir, int argc, char **argv, struct fig_set *out);
void runs_free(struct fig_set *set);

/* `bench list runs`: the table of what the store holds, or JSON. Exit status. */
int runs_list(const char *dir, const struct run_filter *filter, bool json);

/* The metrics that a workload is about, or that of a record; NULL when this bench does not know it. */
const char *workload_headline(const char *name);
const char *runs_headline(const json_t *rec);

#endif
