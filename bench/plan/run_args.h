/* SPDX-License-Identifier: MIT */
/* The options of bench run, as they were given. */
#ifndef BENCH_PLAN_RUN_ARGS_H
#define BENCH_PLAN_RUN_ARGS_H

#include <jansson.h>
#include "base/opts.h"
#include "base/strlist.h"

#define RUN_FIELD_FLAG	   bool
#define RUN_FIELD_STR	   const char *
#define RUN_FIELD_LIST	   struct opt_list
#define RUN_FIELD_U64	   uint64_t
#define RUN_FIELD_COUNT	   uint64_t
#define RUN_FIELD_SIZE	   uint64_t
#define RUN_FIELD_DURATION uint64_t

struct run_args {
#define X(field, name, letter, type, ...) RUN_FIELD_##type field;
#include "bench/plan/run_options.h"
#undef X
};

enum run_option_role {
	RUN_OUTER = 1 << 0,  /* for the bench outside a lab alone */
	RUN_REPLAY = 1 << 1, /* belongs to what was measured beside the cell: bench rerun says it again */
};

struct run_option {
	const char *name;
	unsigned roles;
	const char *param; /* what an effective value is called in .params of a record, where it is there */
};

extern const struct opt run_opts[];          /* ends with OPT_END */
extern const struct run_option run_options[]; /* the same rows; ends with a NULL name */
/* NULL: bench run has no such option. */
const struct opt *run_opt_find(const char *name);

/* options{} of a record: each that was given, as text, true, or a list of texts. */
json_t *run_options_json(const struct run_args *args);
/* Without those that are for the bench outside alone. */
struct run_args run_args_inner(const struct run_args *args);
/* The words of a command line that parses to args. */
void run_args_words(const struct run_args *args, struct strlist *words);

#endif
