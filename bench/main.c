// SPDX-License-Identifier: MIT
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "bench/bench.h"
#include "version.h"

#define X(name) &cmd_##name,
static const struct command *const commands[] = {
#include "bench/commands.h"
};
#undef X

static void usage(FILE *out)
{
	fprintf(out, "bench: what each I/O path of a KVM guest costs, and why\n\n"
		     "Usage: bench [-v|-q] COMMAND [options] [arguments]\n\nCommands:\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
	fprintf(out, "\n`bench COMMAND --help` shows its options and examples. Start with:\n"
		     "  bench doctor\n  bench run net-throughput --mode=vhost\n");
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

static int unknown_command(const char *name)
{
	const char *names[ARRAY_SIZE(commands) + 1] = {NULL}, *near;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		names[i] = commands[i]->name;
	near = opts_nearest(name, names);
	if (near)
		log_error("no command %s; did you mean bench %s?", name, near);
	else
		log_error("no command %s; see bench --help", name);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	enum log_level level = LOG_INFO;
	const struct command *cmd;
	int i;

	log_init("bench", level);
	signal(SIGPIPE, SIG_IGN);
	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--version")) {
			puts("exitlab " EXITLAB_VERSION);
			return EXIT_OK;
		}
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			usage(stdout);
			return EXIT_OK;
		}
		if (strcmp(argv[i], "-v") && strcmp(argv[i], "-q")) {
			log_error("unknown option %s; see bench --help", argv[i]);
			return EXIT_USAGE;
		}
		level = argv[i][1] == 'v' ? LOG_DEBUG : LOG_WARN;
	}
	log_init("bench", level);
	if (i >= argc) {
		usage(stderr);
		return EXIT_USAGE;
	}
	cmd = find_command(argv[i]);
	if (!cmd)
		return unknown_command(argv[i]);
	return cmd->run(argc - i, argv + i);
}
