// SPDX-License-Identifier: MIT
/* The overview, man pages, the reference in Markdown and the completion for bash, all from the tables. */
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "bench/bench.h"

void help_overview(FILE *out)
{
	static const struct {
		const char *first, *title;
	} groups[] = {
		{"doctor", "Measure"},
		{"list", "Look at what was measured"},
		{"gate", "Watch for regressions, carry records around"},
		{"profile", "Any virtual machine of this host"},
		{"lab", "Machines, and help"},
	};
	size_t g = 0;

	fprintf(out, "bench: what each I/O path of a KVM guest costs, and why\n\n"
		     "Usage: bench [-v|-q] COMMAND [options] [arguments]\n");
	for (const struct command *const *c = bench_commands; *c; c++) {
		if (g < ARRAY_SIZE(groups) && !strcmp((*c)->name, groups[g].first))
			fprintf(out, "\n%s:\n", groups[g++].title);
		fprintf(out, "  %-10s %s\n", (*c)->name, (*c)->summary);
	}
	fprintf(out, "\n`bench COMMAND --help` shows its options and examples. Start with:\n"
		     "  bench doctor\n  bench run net-throughput --mode=vhost\n");
}

/* roff takes a leading dot or quote for a command, and a bare '-' for a hyphen. */
static void add_roff(struct strbuf *sb, const char *text)
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
	add_roff(sb, o->name);
	strbuf_adds(sb, "\\fR");
	if (o->type != OPT_FLAG) {
		strbuf_adds(sb, "=\\fI");
		add_roff(sb, o->arg);
		strbuf_adds(sb, "\\fR");
	}
	strbuf_addc(sb, '\n');
	add_roff(sb, o->help);
	strbuf_addc(sb, '\n');
}

void help_man_page(struct strbuf *sb, const struct command *c)
{
	strbuf_addf(sb, ".TH BENCH-%s 1 \"\" Exitlab\n.SH NAME\nbench\\-%s \\- ", c->name, c->name);
	add_roff(sb, c->summary);
	strbuf_addf(sb, "\n.SH SYNOPSIS\n\\fBbench %s\\fR [options] ", c->name);
	add_roff(sb, text_or(c->args, ""));
	if (c->details) {
		strbuf_adds(sb, "\n.SH DESCRIPTION\n");
		add_roff(sb, c->details);
	}
	if (c->opts && c->opts->name)
		strbuf_adds(sb, "\n.SH OPTIONS\n");
	for (const struct opt *o = c->opts; o && o->name; o++)
		man_option(sb, o);
	if (c->examples) {
		strbuf_adds(sb, "\n.SH EXAMPLES\n.nf\n");
		add_roff(sb, c->examples);
		strbuf_adds(sb, "\n.fi\n");
	}
}

void help_man_index(struct strbuf *sb)
{
	strbuf_adds(sb, ".TH BENCH 1 \"\" Exitlab\n.SH NAME\nbench \\- what each I/O path of a KVM guest costs, and why\n"
			".SH SYNOPSIS\n\\fBbench\\fR [\\-v|\\-q] COMMAND [options] [arguments]\n.SH COMMANDS\n");
	for (const struct command *const *c = bench_commands; *c; c++) {
		strbuf_addf(sb, ".TP\n\\fB%s\\fR\n", (*c)->name);
		add_roff(sb, (*c)->summary);
		strbuf_addf(sb, "; see \\fBbench\\-%s\\fR(1)\n", (*c)->name);
	}
	strbuf_adds(sb, ".SH EXIT STATUS\n0 done, 1 a sample failed or a gate tripped, 2 usage, 3 this substrate cannot, "
			"4 our own bug, 125 undecided.\n");
}

/* ---- Markdown ---- */

static const char reference_head[] =
	"# Reference\n\n"
	"`bench help --markdown` writes this page from the tables that the programs themselves use.\n\n"
	"    bench [-v|-q] COMMAND [options] [arguments]\n\n"
	"| exit status | |\n|---|---|\n"
	"| 0 | done |\n"
	"| 1 | a sample or a check failed, a gate tripped, B is worse |\n"
	"| 2 | the command line is wrong |\n"
	"| 3 | this substrate cannot: the message says what is missing and what to do |\n"
	"| 4 | a bug of ours |\n"
	"| 124 | `bench lab`: the time-out |\n"
	"| 125 | `bench ab`, `bench bisect`: undecided |\n"
	"| 130 | interrupted; finished samples are kept |\n\n"
	"| environment | |\n|---|---|\n"
	"| `EXITLAB_CACHE` | kernels and the lab's images (default `$XDG_CACHE_HOME/exitlab`, `~/.cache/exitlab`) |\n"
	"| `EXITLAB_QEMU` | QEMU, for the lab and as VMM (default `qemu-system-x86_64`) |\n"
	"| `EXITLAB_NAME` | the program of the VMM NAME of `bench list vmms` (cloud-hypervisor: `EXITLAB_CLOUD_HYPERVISOR`) |\n"
	"| `EXITLAB_JOURNAL_DIR` | where changes to the host are noted (default `/run/exitlab`) |\n"
	"| `NO_COLOR`, `TERM=dumb` | no colour, no progress bar |\n";

void help_markdown_cell(const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			putchar('\\');
		putchar(*text);
	}
}

static void markdown_option(const struct opt *o)
{
	printf("| `");
	if (o->letter)
		printf("-%c`, `", o->letter);
	printf("--%s", o->name);
	if (o->type != OPT_FLAG) {
		printf("%s=", text_if(o->type == OPT_OPTIONAL, "["));
		help_markdown_cell(o->arg);
		printf("%s", text_if(o->type == OPT_OPTIONAL, "]"));
	}
	printf("` | ");
	help_markdown_cell(o->help);
	puts(" |");
}

static void print_indented(const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");

		printf("    %.*s\n", (int)len, text);
		text += len + (text[len] == '\n');
	}
}

static void markdown_command(const struct command *c)
{
	printf("\n## bench %s\n\n%s\n\n    bench %s [options]%s%s\n\n", c->name, c->summary, c->name,
	       text_if(c->args, " "), text_or(c->args, ""));
	if (c->details)
		printf("%s\n\n", c->details);
	if (c->opts && c->opts->name)
		puts("| option | |\n|---|---|");
	for (const struct opt *o = c->opts; o && o->name; o++)
		markdown_option(o);
	if (c->examples) {
		puts("");
		print_indented(c->examples);
	}
}

void help_markdown(void)
{
	static const char *const subjects[] = {"modes", "knobs", "metrics", "figures"};

	fputs(reference_head, stdout);
	for (const struct command *const *c = bench_commands; *c; c++)
		markdown_command(*c);
	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++) {
		printf("\n## bench list %s\n\n", subjects[i]);
		list_markdown(subjects[i]);
	}
}

/* ---- completion ---- */

static void print_options(const struct command *c)
{
	for (const struct opt *o = c->opts; o && o->name; o++)
		printf("%s--%s%s", text_if(o != c->opts, " "), o->name,
		       text_if(o->type != OPT_FLAG && o->type != OPT_OPTIONAL, "="));
}

/* --OPTION=one|two|three: the words, in whatever command they are offered. */
static void print_values(void)
{
	for (const struct command *const *c = bench_commands; *c; c++)
		for (const struct opt *o = (*c)->opts; o && o->name; o++) {
			if (o->type != OPT_STR || !strchr(o->arg, '|'))
				continue;
			printf("\t%s/--%s) words='", (*c)->name, o->name);
			for (const char *p = o->arg; *p; p++)
				putchar(*p == '|' ? ' ' : *p);
			puts("' ;;");
		}
}

static void print_command_options(void)
{
	for (const struct command *const *c = bench_commands; *c; c++) {
		printf("\t%s/*) words='", (*c)->name);
		print_options(*c);
		puts("' ;;");
	}
}

/*
 * bash splits --mode=virtio into three words; with an '=' typed, the option before it says which words to
 * offer.
 */
void help_completion(void)
{
	printf("# bash completion of bench: source it, or install it as bash-completion/completions/bench\n"
	       "_bench_names() { bench list \"$1\" --json 2>/dev/null | sed -n 's/.*\"name\": \"\\(.*\\)\".*/\\1/p'; }\n"
	       "_bench() {\n"
	       "\tlocal cur=$2 command=${COMP_WORDS[1]} option= words=\n"
	       "\t[ \"$cur\" = = ] && cur=\n"
	       "\t[ \"${COMP_WORDS[COMP_CWORD]}\" = = ] && option=${COMP_WORDS[COMP_CWORD - 1]}\n"
	       "\t[ \"${COMP_WORDS[COMP_CWORD - 1]}\" = = ] && option=${COMP_WORDS[COMP_CWORD - 2]}\n"
	       "\t[ $COMP_CWORD -eq 1 ] && command=bench\n"
	       "\tcase $command/$option in\n"
	       "\tbench/*) words='");
	for (const struct command *const *c = bench_commands; *c; c++)
		printf("%s ", (*c)->name);
	puts("' ;;");
	puts("\t*/--mode) words=$(_bench_names modes) ;;\n"
	     "\t*/--vmm) words=$(_bench_names vmms) ;;\n"
	     "\t*/--figure) words=\"all $(_bench_names figures)\" ;;\n"
	     "\t*/--metric) words=$(_bench_names metrics) ;;\n"
	     "\trun/--set) words=$(_bench_names knobs | sed 's/$/=/') ;;");
	print_values();
	print_command_options();
	puts("\tesac\n"
	     "\t[ -z \"$option\" ] && case $command in\n"
	     "\trun) words+=\" $(_bench_names workloads)\" ;;\n"
	     "\tlist) words+=' workloads modes knobs metrics figures vmms counters runs' ;;\n"
	     "\thelp) words+=\" $(bench --help | sed -n 's/^  \\([a-z]*\\)  .*/\\1/p')\" ;;\n"
	     "\tesac\n"
	     "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
	     "\t[[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace\n"
	     "}\n"
	     "complete -o default -F _bench bench");
}
