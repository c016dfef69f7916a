/* SPDX-License-Identifier: MIT */
/* The command that measures again what a record holds. */
#ifndef BENCH_PLAN_RERUN_H
#define BENCH_PLAN_RERUN_H

#include <jansson.h>
#include "base/strlist.h"

/*
 * `bench run ...` for one record: workload, mode, VMM, guest, substrate, knobs and parameters of
 * its one cell, not the whole plan as typed. reps 0: as many boots as the record has. store: NULL
 * for the default one.
 */
struct strlist rerun_argv(const json_t *rec, uint64_t reps, const char *store);
/* Run it (argv[0] is this program) and read the record from its stdout; progress goes to stderr.
 * NULL: logged. */
json_t *rerun_take(char **argv);

#endif
