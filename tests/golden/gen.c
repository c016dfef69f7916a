// SPDX-License-Identifier: MIT
/*
 * Draws and writes the synthetic records of fixture.h:
 *
 *      gen figures DIR [WIDTH [FORMAT]]   every figure; text only (.gp, .dat, .txt) with FORMAT none
 *      gen records DIR                    DIR/FIGURE-N.json
 */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "tests/golden/sets.h"

static int figures(const char *dir, const char *width, const char *format)
{
	struct fig_target to = {dir, NULL, FIG_PDF, 3.3, !strcmp(format, "none")};
	struct fig_set set;
	char *why;

	figure_width_parse(width, &to.width_in);
	figure_format_parse(format, &to.format);
	for (const struct golden_set *g = golden_sets; g->figure; g++) {
		golden_load(g, &set);
		to.stem = g->figure;
		if (figure_render(figure_find(g->figure), &set, &to, &why))
			die(EXIT_FAILED, "%s: %s", g->figure, why ? why : "failed");
		golden_free(&set);
	}
	return EXIT_OK;
}

static int records(const char *dir)
{
	struct fig_set set;

	if (dir_make_all(dir))
		die(EXIT_FAILED, "%s: cannot make it", dir);
	for (const struct golden_set *g = golden_sets; g->figure; g++) {
		golden_load(g, &set);
		for (size_t i = 0; i < set.n; i++) {
			char *path = xasprintf("%s/%s-%zu.json", dir, g->figure, i);

			if (json_dump_file(set.rec[i], path, JSON_INDENT(1)))
				die(EXIT_FAILED, "%s: cannot write", path);
			free(path);
		}
		golden_free(&set);
	}
	return EXIT_OK;
}

int main(int argc, char **argv)
{
	log_init("gen", LOG_INFO);
	if (argc >= 3 && !strcmp(argv[1], "figures"))
		return figures(argv[2], argc > 3 ? argv[3] : "3.3in", argc > 4 ? argv[4] : "pdf");
	if (argc == 3 && !strcmp(argv[1], "records"))
		return records(argv[2]);
	die(EXIT_USAGE, "gen figures DIR [WIDTH [FORMAT]] | gen records DIR");
}
