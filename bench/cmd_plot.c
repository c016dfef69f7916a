// SPDX-License-Identifier: MIT
/* `bench plot`: figures of stored runs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "bench/cli/draw.h"
#include "bench/cli/runs.h"

struct plot_args {
	const char *figure, *store;
	struct draw_args draw;
};

static const struct opt plot_opts[] = {
	{"figure", 'f', OPT_STR, offsetof(struct plot_args, figure), "NAME",
	 "a name from `bench list figures`, several with commas, or all (default)"},
	{"format", 0, OPT_STR, offsetof(struct plot_args, draw.format), "pdf|svg|png",
	 "default pdf, or as --out ends"},
	{"width", 'w', OPT_STR, offsetof(struct plot_args, draw.width), "WIDTH",
	 "3.3in (one column, default), 7in (two), or any in, cm or mm"},
	{"out", 'o', OPT_STR, offsetof(struct plot_args, draw.out), "FILE",
	 "file of one figure, folder of several (default: NAME.FORMAT, figures/)"},
	{"store", 0, OPT_STR, offsetof(struct plot_args, store), "DIR", "where the records are"},
	{"force", 0, OPT_FLAG, offsetof(struct plot_args, draw.force), NULL,
	 "draw records of different substrates or time bases together"},
	OPT_END,
};

/* Every figure named in a comma list; NULL and -EINVAL for an unknown one. */
static int choose_figures(const char *names, const struct figure **list, size_t *n)
{
	char *copy, *word, *save = NULL;
	int err = 0;

	*n = 0;
	if (!names || !strcmp(names, "all")) {
		for (const struct figure *f = figure_table; f->name; f++)
			list[(*n)++] = f;
		return 0;
	}
	copy = xstrdup(names);
	for (word = strtok_r(copy, ",", &save); word && !err && *n < 64;
	     word = strtok_r(NULL, ",", &save)) {
		list[*n] = figure_find(word);
		if (list[*n]) {
			(*n)++;
			continue;
		}
		log_error("no figure %s; see bench list figures", word);
		err = -EINVAL;
	}
	free(copy);
	return err;
}

static int plot_main(int argc, char **argv)
{
	const struct figure *list[64];
	struct plot_args a = {0};
	struct fig_target to = {0};
	struct fig_set set;
	int status;
	size_t n;

	if (!bench_parse(&cmd_plot, &argc, argv, &a, &status))
		return status;
	if (argc < 2) {
		log_error("plot: which runs? Give run ids or `last`; see bench plot --help");
		return EXIT_USAGE;
	}
	if (draw_target(&a.draw, &to) || choose_figures(a.figure, list, &n))
		return EXIT_USAGE;
	if (runs_load(a.store, argc, argv, &set))
		return EXIT_USAGE;
	status = draw_all(&a.draw, &set, &to, list, n);
	runs_free(&set);
	return status;
}

const struct command cmd_plot = {
	.name = "plot",
	.args = "RUN...",
	.summary = "paper-ready figures of stored runs, with data and script beside them",
	.details =
		"Each figure FILE.pdf comes with FILE.gp (run it again with gnuplot in that "
		"folder), FILE.dat (the\n"
		"numbers drawn), FILE.txt (a caption with platform, substrate, n and interval) and "
		"style.gp.",
	.examples = "bench plot last --figure=exit-breakdown\n"
		    "bench plot 20260314 20260315 --figure=throughput --width=7in --out fig1.pdf\n"
		    "bench plot last last~1 last~2 --format=svg --out figures/",
	.opts = plot_opts,
	.run = plot_main,
};
