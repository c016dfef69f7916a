/* SPDX-License-Identifier: MIT */
/*
 * One table of options gives the parser, the help text, the man page and the shell completion.
 *
 *   static const struct opt opts[] = {
 *           {"reps", 'n', OPT_U64, offsetof(struct run_args, reps), "N", "boots per mode (default 10)"},
 *           OPT_END,
 *   };
 *   static const struct command cmd_run = {
 *           .name = "run", .args = "WORKLOAD", .summary = "...", .opts = opts,
 *           .examples = "bench run boot\n...", .run = cmd_run_main };
 */
#ifndef BASE_OPTS_H
#define BASE_OPTS_H

#include <stdio.h>
#include "base/util.h"

enum opt_type {
	OPT_FLAG,     /* bool; --no-NAME clears it */
	OPT_STR,      /* const char * */
	OPT_LIST,     /* struct opt_list: may be given several times */
	OPT_U64,      /* uint64_t */
	OPT_COUNT,    /* uint64_t, at least 1: 0 in the destination says that it was not given */
	OPT_SIZE,     /* uint64_t bytes: 512M */
	OPT_DURATION, /* uint64_t ns, above 0 as OPT_COUNT: 8s, 250ms */
	OPT_OPTIONAL, /* const char *; "--json" gives "", "--json=X" gives X */
};

struct opt_list {
	const char **item;
	size_t n;
};

struct opt {
	const char *name; /* long name without the dashes; NULL ends the table */
	char letter;      /* short name or 0 */
	enum opt_type type;
	size_t offset;    /* of the destination in the structure given to opts_parse */
	const char *arg;  /* name of the value in help, or "a|b|c" when it is one of a few words */
	const char *help;
};

#define OPT_END {NULL, 0, OPT_FLAG, 0, NULL, NULL}

struct command {
	const char *name;
	const char *args;     /* "WORKLOAD", "[RUN...]" */
	const char *summary;  /* one line, lower case, no full stop */
	const char *details;  /* paragraphs for --help and the man page, or NULL */
	const char *examples; /* one a line */
	const struct opt *opts;
	/* argv holds the positional arguments only... see opts_parse. */
	int (*run)(int argc, char **argv);
};

/*
 * Parse argv[1..] into dest, options and positional arguments in any order, "--" ends options.
 * argv is reordered: on return argv[1..*argc-1] are the positionals. A value of one-of-a-few words is
 * checked against them. Errors are logged with the nearest known name.
 * Returns 0, -EINVAL (message logged), or 1 when --help was printed.
 */
int opts_parse(const char *prog, const struct command *cmd, int *argc, char **argv, void *dest);
void opts_help(const char *prog, const struct command *cmd, FILE *out);

/*
 * Calls emit with "--name=value" (or "--name") for every option that from has set: a command line that
 * parses to the same.
 */
void opts_emit(const struct opt *opts, const void *from, void (*emit)(void *ctx, const char *word),
	       void *ctx);

/* The entry of words (NULL-terminated) nearest to s, or NULL when nothing is near. */
const char *opts_nearest(const char *s, const char *const *words);

#endif
