// SPDX-License-Identifier: MIT
/* Help texts, man pages and shell completion, all from the tables of options. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/strbuf.h"
#include "bench/bench.h"

struct help_args {
	const char *man;
	bool completion;
};

#define X(name) &cmd_##name,
static const struct command *const all[] = {
#include "bench/commands.h"
};
#undef X

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (!strcmp(all[i]->name, name))
			return all[i];
	return NULL;
}

/* roff takes a leading dot or quote for a command, and a bare '-' for a hyphen. */
static void roff(struct strbuf *sb, const char *text)
{
	bool start = true;

	for (; *text; text++) {
		if (start && (*text == '.' || *text == '\''))
			strbuf_adds(sb, "\\&");
		if (*text == '-' || *text == '\\')
			strbuf_addc(sb, '\\');
		strbuf_addc(sb, *text);
		start = *text == '\n';
	}
}

static void man_option(struct strbuf *sb, const struct opt *o)
{
	strbuf_adds(sb, ".TP\n");
	if (o->letter)
		strbuf_addf(sb, "\\fB\\-%c\\fR, ", o->letter);
	strbuf_adds(sb, "\\fB\\-\\-");
	roff(sb, o->name);
	strbuf_adds(sb, "\\fR");
	if (o->type != OPT_FLAG) {
		strbuf_adds(sb, "=\\fI");
		roff(sb, o->arg);
		strbuf_adds(sb, "\\fR");
	}
	strbuf_addc(sb, '\n');
	roff(sb, o->help);
	strbuf_addc(sb, '\n');
}

static void man_page(struct strbuf *sb, const struct command *c)
{
	strbuf_addf(sb, ".TH BENCH-%s 1 \"\" Exitlab\n.SH NAME\nbench\\-%s \\- ", c->name, c->name);
	roff(sb, c->summary);
	strbuf_addf(sb, "\n.SH SYNOPSIS\n\\fBbench %s\\fR [options] ", c->name);
	roff(sb, c->args ? c->args : "");
	if (c->details) {
		strbuf_adds(sb, "\n.SH DESCRIPTION\n");
		roff(sb, c->details);
	}
	if (c->opts && c->opts->name)
		strbuf_adds(sb, "\n.SH OPTIONS\n");
	for (const struct opt *o = c->opts; o && o->name; o++)
		man_option(sb, o);
	if (c->examples) {
		strbuf_adds(sb, "\n.SH EXAMPLES\n.nf\n");
		roff(sb, c->examples);
		strbuf_adds(sb, "\n.fi\n");
	}
}

static void man_index(struct strbuf *sb)
{
	strbuf_adds(sb, ".TH BENCH 1 \"\" Exitlab\n.SH NAME\nbench \\- what each I/O path of a KVM guest costs, and why\n"
			".SH SYNOPSIS\n\\fBbench\\fR [\\-v|\\-q] COMMAND [options] [arguments]\n.SH COMMANDS\n");
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		strbuf_addf(sb, ".TP\n\\fB%s\\fR\n", all[i]->name);
		roff(sb, all[i]->summary);
		strbuf_addf(sb, "; see \\fBbench\\-%s\\fR(1)\n", all[i]->name);
	}
	strbuf_adds(sb, ".SH EXIT STATUS\n0 done, 1 a sample failed or a gate tripped, 2 usage, 3 this substrate cannot, "
			"4 our own bug.\n");
}

static int write_page(const char *dir, const char *name, const struct strbuf *sb)
{
	char *path = xasprintf("%s/bench%s%s.1", dir, *name ? "-" : "", name);
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

	man_index(&sb);
	err = err ? err : write_page(dir, "", &sb);
	for (size_t i = 0; i < ARRAY_SIZE(all) && !err; i++) {
		strbuf_reset(&sb);
		man_page(&sb, all[i]);
		err = write_page(dir, all[i]->name, &sb);
	}
	strbuf_free(&sb);
	return err ? EXIT_CANNOT : EXIT_OK;
}

static void print_options(const struct command *c)
{
	for (const struct opt *o = c->opts; o && o->name; o++)
		printf("%s--%s%s", o == c->opts ? "" : " ", o->name,
		       o->type == OPT_FLAG || o->type == OPT_OPTIONAL ? "" : "=");
}

static void print_completion(void)
{
	printf("# bash completion of bench: source it, or install it as bash-completion/completions/bench\n"
	       "_bench() {\n\tlocal cur=$2 words=\n\tif [ $COMP_CWORD -eq 1 ]; then\n\t\twords='");
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		printf("%s%s", i ? " " : "", all[i]->name);
	printf("'\n\telse\n\t\tcase ${COMP_WORDS[1]} in\n");
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		printf("\t\t%s) words='", all[i]->name);
		print_options(all[i]);
		printf("' ;;\n");
	}
	printf("\t\tesac\n\t\tcase ${COMP_WORDS[1]}$cur in\n"
	       "\t\trun[a-z]* | run) words+=\" $(bench list workloads --json 2>/dev/null | sed -n 's/.*\"name\": \"\\(.*\\)\".*/\\1/p')\" ;;\n"
	       "\t\tesac\n\tfi\n\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
	       "\t[[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace\n}\ncomplete -o default -F _bench bench\n");
}

static int help_main(int argc, char **argv)
{
	struct help_args a = {NULL, false};
	const struct command *c;
	int status;

	if (!bench_parse(&cmd_help, &argc, argv, &a, &status))
		return status;
	if (a.man)
		return write_man(a.man);
	if (a.completion) {
		print_completion();
		return EXIT_OK;
	}
	c = find(argc > 1 ? argv[1] : "help");
	if (!c) {
		log_error("help: no command %s; see bench --help", argv[1]);
		return EXIT_USAGE;
	}
	opts_help("bench", c, stdout);
	return EXIT_OK;
}

static const struct opt help_opts[] = {
	{"man", 0, OPT_STR, offsetof(struct help_args, man), "DIR", "write the man pages there"},
	{"completion", 0, OPT_FLAG, offsetof(struct help_args, completion), NULL,
	 "print the completion for bash"},
	OPT_END,
};

const struct command cmd_help = {
	.name = "help",
	.args = "[COMMAND]",
	.summary = "help of a command, man pages, shell completion",
	.examples = "bench help run\nbench help --man=/usr/local/share/man/man1\nsource <(bench help --completion)",
	.opts = help_opts,
	.run = help_main,
};
