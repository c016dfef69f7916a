/* SPDX-License-Identifier: MIT */
/*
 * What the subcommands share. A new subcommand: one cmd_NAME.c that ends in a const struct command, one row
 * in commands.h.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include "base/log.h"
#include "base/opts.h"

#define X(name) extern const struct command cmd_##name;
#include "bench/commands.h"
#undef X

/* opts_parse for a subcommand: true to go on, false with *status set (help shown, or usage error). */
bool bench_parse(const struct command *cmd, int *argc, char **argv, void *dest, int *status);

/* The exit status of a command whose work gave err, which has been logged. */
static inline int status_of(int err)
{
	return err ? EXIT_CANNOT : EXIT_OK;
}

/* ---- the texts of help, from the tables (help_text.c) ---- */
struct strbuf;
extern const struct command *const bench_commands[]; /* ends with NULL */
const struct command *bench_find(const char *name);
/* What `bench` without a command says. */
void help_overview(FILE *out);
void help_man_index(struct strbuf *sb);
void help_man_page(struct strbuf *sb, const struct command *c);
/* docs/reference.md on stdout. */
void help_markdown(void);
void help_completion(void);
/* A text within a cell of a table in Markdown, which a '|' would end, on stdout. */
void help_markdown_cell(const char *text);
/* bench list SUBJECT as a table in Markdown, on stdout. */
void list_markdown(const char *subject);

#endif
