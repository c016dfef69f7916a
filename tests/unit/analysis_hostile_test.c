// SPDX-License-Identifier: MIT
/* Names and texts of a guest or of an imported record, through everything that is made of records: class 20. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "analysis/figure.h"
#include "base/file.h"
#include "tests/golden/hostile.h"
#include "tests/golden/sets.h"

static char dir[] = "/tmp/exitlab-hostile-XXXXXX";

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return dir_remove_all(dir);
}

static char *read_text(const char *stem, const char *ext)
{
	char *path = xasprintf("%s/%s%s", dir, stem, ext);
	struct strbuf text = STRBUF_INIT;

	assert_int_equal(file_read(path, &text), 0);
	free(path);
	return strbuf_take(&text);
}

static void load_hostile(const struct golden_set *g, struct fig_set *set)
{
	golden_load(g, set);
	for (size_t i = 0; i < set->n; i++)
		hostile_record(set->rec[i], hostile_text);
}

static bool line_of_numbers(const char *line)
{
	return strchr("# \n", *line) || *line == '"' || *line == '-' || (*line >= '0' && *line <= '9') || !strncmp(line, "NaN", 3);
}

/* Every figure: text of a record is a string of the script, and a line of the data begins as ours do. */
static void figures_hold_text_in_strings(void **state)
{
	unsigned marked = 0;

	(void)state;
	for (const struct golden_set *g = golden_sets; g->figure; g++) {
		struct fig_target to = {dir, g->figure, FIG_PDF, 3.3, true};
		struct fig_set set;
		const char *at;
		char *why, *gp, *dat;

		load_hostile(g, &set);
		assert_int_equal(figure_render(figure_find(g->figure), &set, &to, &why), 0);
		gp = read_text(g->figure, ".gp");
		dat = read_text(g->figure, ".dat");
		at = hostile_in_gp(gp);
		if (at)
			fail_msg("%s: not within a string: %.60s", g->figure, at);
		for (at = dat; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
			if (!line_of_numbers(at))
				fail_msg("%s: a line of the data: %.60s", g->figure, at);
		marked += strstr(gp, HOSTILE_MARK) || strstr(dat, HOSTILE_MARK);
		free(gp);
		free(dat);
		golden_free(&set);
	}
	assert_true(marked >= 8); /* else the attack is not where it should be */
}

/* gnuplot itself: it draws, and what the names ask for does not happen. */
static void gnuplot_runs_nothing(void **state)
{
	struct golden_set g = {"exit-kinds", fixture_costs, 0, 0};
	struct fig_target to = {dir, "x`touch PWN`\"", FIG_SVG, 3.3, false};
	struct fig_set set;
	char *why, *svg, *cwd = xasprintf("%s/PWN", dir);

	(void)state;
	load_hostile(&g, &set);
	assert_int_equal(figure_render(figure_find(g.figure), &set, &to, &why), 0);
	svg = read_text(to.stem, ".svg");
	assert_non_null(strstr(svg, "`touch PWN`")); /* as a label */
	assert_int_not_equal(access(cwd, F_OK), 0);
	assert_int_not_equal(access("PWN", F_OK), 0);
	free(cwd);
	free(svg);
	golden_free(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(figures_hold_text_in_strings),
		cmocka_unit_test(gnuplot_runs_nothing),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
