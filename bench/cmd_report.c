// SPDX-License-Identifier: MIT
/* `bench report`: runs as a document, with their figures. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/report.h"
#include "base/file.h"
#include "bench/bench.h"
#include "bench/cli/runs.h"

struct report_args {
	const char *format, *out, *store;
	bool no_figures, force;
};

static const struct opt report_cmd_opts[] = {
	{"format", 0, OPT_STR, offsetof(struct report_args, format), "html|md|tex",
	 "default html, or as --out ends"},
	{"out", 'o', OPT_STR, offsetof(struct report_args, out), "FILE",
	 "default report.FORMAT; - for stdout"},
	{"text-only", 0, OPT_FLAG, offsetof(struct report_args, no_figures), NULL,
	 "leave the figures out"},
	{"store", 0, OPT_STR, offsetof(struct report_args, store), "DIR", "where the records are"},
	{"force", 0, OPT_FLAG, offsetof(struct report_args, force), NULL,
	 "put runs of different substrates or time bases into one report"},
	OPT_END,
};

static const char *const format_names[] = {[DOC_HTML] = "html", [DOC_MD] = "md", [DOC_TEX] = "tex"};

static enum doc_format format_of(const struct report_args *a)
{
	const char *dot = NULL, *name = "html";

	if (a->out)
		dot = strrchr(a->out, '.');
	if (a->format)
		name = a->format;
	else if (dot)
		name = dot + 1;
	for (size_t i = 0; i < ARRAY_SIZE(format_names); i++)
		if (!strcmp(name, format_names[i]))
			return (enum doc_format)i;
	return DOC_HTML;
}

static int put_document(const char *path, const struct strbuf *text)
{
	bool file = strcmp(path, "-") != 0;
	int err;

	if (file)
		err = file_write_atomic(path, strbuf_str(text), text->len);
	else
		err = fd_write_all(STDOUT_FILENO, strbuf_str(text), text->len);
	if (err)
		log_error("%s: cannot write: %s", path, strerror(-err));
	else if (file)
		log_info("%s written", path);
	return err;
}

/* Figures of md and tex stay beside the document in NAME-figures; html takes them in. */
static int write_report(const struct report_args *a, const struct fig_set *set)
{
	enum doc_format format = format_of(a);
	char *usual = xasprintf("report.%s", format_names[format]);
	const char *path = text_or(a->out, usual);
	char temp[] = "/tmp/exitlab-report-XXXXXX", *dir, *slash;
	struct strbuf text = STRBUF_INIT;
	struct report_opts opts = {.format = format, .figures = !a->no_figures,
				   .headline = workload_headline};
	bool keep = format != DOC_HTML && strcmp(path, "-");
	int err = 0;

	dir = xasprintf("%s-figures", path);
	opts.figure_dir = opts.figure_ref = dir;
	slash = strrchr(dir, '/');
	if (slash)
		opts.figure_ref = slash + 1;
	if (!keep) {
		opts.figure_dir = mkdtemp(temp);
		err = errno_if(!opts.figure_dir);
		opts.figures &= format == DOC_HTML;
	}
	if (err)
		log_error("report: cannot make a temporary folder: %s", strerror(-err));
	else
		err = report_write(set, &opts, &text);
	if (!err)
		err = put_document(path, &text);
	if (!keep && opts.figure_dir)
		dir_remove_all(opts.figure_dir);
	strbuf_free(&text);
	free(dir);
	free(usual);
	return err;
}

static int report_main(int argc, char **argv)
{
	struct report_args a = {0};
	struct fig_set set;
	const char *what;
	int status;

	if (!bench_parse(&cmd_report, &argc, argv, &a, &status))
		return status;
	if (argc < 2) {
		log_error("report: which runs? Give run ids or `last`; see bench report --help");
		return EXIT_USAGE;
	}
	if (runs_load(a.store, argc, argv, &set))
		return EXIT_USAGE;
	if (!figure_set_comparable(&set, &what) && !a.force) {
		log_error(
			"report: the runs differ in %s; their times do not compare. Give runs of one, or --force",
			what);
		status = EXIT_USAGE;
	} else {
		status = status_of(write_report(&a, &set));
	}
	runs_free(&set);
	return status;
}

const struct command cmd_report = {
	.name = "report",
	.args = "RUN...",
	.summary = "one document on a few runs: results, exits, figures, claims, environment",
	.details =
		"html is one self-contained file with the figures as inline SVG; md and tex keep theirs beside them in\n"
		"FILE-figures. The tex uses booktabs and compiles with pdflatex.",
	.examples = "bench report last --out report.html\n"
		    "bench report 20260314 20260315 --format=tex --out paper/results.tex\n"
		    "bench report last --format=md --text-only --out -",
	.opts = report_cmd_opts,
	.run = report_main,
};
