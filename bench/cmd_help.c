// SPDX-License-Identifier: MIT
/* `bench help`: the help of a command, man pages, the reference, the completion. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/strbuf.h"
#include "bench/bench.h"

struct help_args {
	const char *man;
	bool completion, markdown;
};

static int write_page(const char *dir, const char *name, const struct strbuf *sb)
{
	char *path = xasprintf("%s/bench%s%s.1", dir, text_if(*name, "-"), name);
	int err = file_write_atomic(path, strbuf_str(sb), sb->len);

	if (err)
		log_error("%s: %s", path, strerror(-err));
	free(path);
	return err;
}

static int write_man(const char *dir)
{
	struct strbuf sb = STRBUF_INIT;
	int err = dir_make_all(dir);

	help_man_index(&sb);
	if (!err)
		err = write_page(dir, "", &sb);
	for (const struct command *const *c = bench_commands; *c && !err; c++) {
		strbuf_reset(&sb);
		help_man_page(&sb, *c);
		err = write_page(dir, (*c)->name, &sb);
	}
	strbuf_free(&sb);
	return status_of(err);
}

static int print_help(const char *name)
{
	const struct command *c = bench_find(name);

	if (!c) {
		log_error("help: no command %s; see bench --help", name);
		return EXIT_USAGE;
	}
	opts_help("bench", c, stdout);
	return EXIT_OK;
}

static int help_main(int argc, char **argv)
{
	struct help_args a = {NULL, false, false};
	int status;

	if (!bench_parse(&cmd_help, &argc, argv, &a, &status))
		return status;
	if (a.man)
		return write_man(a.man);
	if (a.markdown)
		help_markdown();
	else if (a.completion)
		help_completion();
	else if (argc > 1)
		return print_help(argv[1]);
	else
		help_overview(stdout);
	return EXIT_OK;
}

static const struct opt help_opts[] = {
	{"man", 0, OPT_STR, offsetof(struct help_args, man), "DIR", "write the man pages there"},
	{"markdown", 0, OPT_FLAG, offsetof(struct help_args, markdown), NULL,
	 "print the reference (docs/reference.md)"},
	{"completion", 0, OPT_FLAG, offsetof(struct help_args, completion), NULL,
	 "print the completion for bash"},
	OPT_END,
};

const struct command cmd_help = {
	.name = "help",
	.args = "[COMMAND]",
	.summary = "help of a command, the reference, man pages, shell completion",
	.examples = "bench help run\nbench help --man=/usr/local/share/man/man1\nsource <(bench help --completion)",
	.opts = help_opts,
	.run = help_main,
};
