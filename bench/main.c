// SPDX-License-Identifier: MIT
/* `bench`: its own options, and the choice of a subcommand. */
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"
#include "version.h"

#define X(name) &cmd_##name,
const struct command *const bench_commands[] = {
#include "bench/commands.h"
	NULL,
};
#undef X

const struct command *bench_find(const char *name)
{
	for (const struct command *const *c = bench_commands; *c; c++)
		if (!strcmp((*c)->name, name))
			return *c;
	return NULL;
}

static int unknown_command(const char *name)
{
	const char *names[ARRAY_SIZE(bench_commands)] = {NULL}, *near;

	for (size_t i = 0; bench_commands[i]; i++)
		names[i] = bench_commands[i]->name;
	near = opts_nearest(name, names);
	if (near)
		log_error("no command %s; did you mean bench %s?", name, near);
	else
		log_error("no command %s; see bench --help", name);
	return EXIT_USAGE;
}

/* A full disk below `bench show >FILE` is an error; a reader that has seen enough (`| head`) is none. */
static int finish_output(int status)
{
	struct pollfd p = {.fd = STDOUT_FILENO};
	bool lost = fflush(stdout) || ferror(stdout);

	if (!lost || (poll(&p, 1, 0) == 1 && p.revents & POLLERR))
		return status;
	log_error("standard output: not all of it could be written");
	if (status)
		return status;
	return EXIT_CANNOT;
}

/* jansson says of a text that it had no memory for that it is damaged: there is an end before that. */
static void *json_memory(size_t size)
{
	return xrealloc(NULL, size);
}

int main(int argc, char **argv)
{
	enum log_level level = LOG_INFO;
	const struct command *cmd;
	int i;

	json_set_alloc_funcs(json_memory, free);
	log_init("bench", level);
	signal(SIGPIPE, SIG_IGN);
	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--version")) {
			puts("exitlab " EXITLAB_VERSION);
			return EXIT_OK;
		}
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			help_overview(stdout);
			return EXIT_OK;
		}
		if (strcmp(argv[i], "-v") && strcmp(argv[i], "-q")) {
			log_error("unknown option %s; see bench --help", argv[i]);
			return EXIT_USAGE;
		}
		level = LOG_WARN;
		if (argv[i][1] == 'v')
			level = LOG_DEBUG;
	}
	log_init("bench", level);
	if (i >= argc) {
		help_overview(stderr);
		return EXIT_USAGE;
	}
	cmd = bench_find(argv[i]);
	if (!cmd)
		return unknown_command(argv[i]);
	return finish_output(cmd->run(argc - i, argv + i));
}
