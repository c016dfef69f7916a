// SPDX-License-Identifier: MIT
/*
 * Names and texts of a guest or of an imported record, through everything that is made of records:
 * class 20.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "analysis/dashboard.h"
#include "analysis/figure.h"
#include "analysis/report.h"
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

static void no_attack(const char *where, const char *at)
{
	if (at)
		fail_msg("%s: %.80s", where, at);
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
		int err;

		load_hostile(g, &set);
		err = figure_render(figure_find(g->figure), &set, &to, &why);
		if (err == -ENODATA) { /* it goes by values that the attack has overwritten, and says so */
			free(why);
			golden_free(&set);
			continue;
		}
		assert_int_equal(err, 0);
		gp = read_text(g->figure, ".gp");
		dat = read_text(g->figure, ".dat");
		no_attack(g->figure, hostile_in_gp(gp));
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

static char *report_of(const struct fixture *f, enum doc_format format, const char *figures)
{
	struct golden_set g = {"throughput", f, 0, 0};
	struct report_opts opts = {.format = format, .figure_dir = figures, .figure_ref = "figures",
				   .figures = figures};
	struct strbuf out = STRBUF_INIT;
	struct fig_set set;

	load_hostile(&g, &set);
	assert_int_equal(report_write(&set, &opts, &out), 0);
	golden_free(&set);
	assert_non_null(strstr(strbuf_str(&out), HOSTILE_MARK));
	return strbuf_take(&out);
}

static void reports_hold_text_as_text(void **state)
{
	static const struct {
		enum doc_format format;
		const char *name, *(*oracle)(const char *text);
	} formats[] = {{DOC_HTML, "html", hostile_in_html},
		       {DOC_MD, "md", hostile_in_md},
		       {DOC_TEX, "tex", hostile_in_tex}};
	static const struct fixture *const sets[] = {fixture_modes, fixture_costs, fixture_few};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(formats) * ARRAY_SIZE(sets); i++) {
		size_t f = i / ARRAY_SIZE(sets);
		char *text = report_of(sets[i % ARRAY_SIZE(sets)], formats[f].format, NULL);

		no_attack(formats[f].name, formats[f].oracle(text));
		assert_null(strstr(text, "\n!touch"));
		free(text);
	}
}

/* gnuplot's SVG stands in the page as it is. */
static void drawings_in_a_page(void **state)
{
	char *text = report_of(fixture_costs, DOC_HTML, dir);

	(void)state;
	assert_non_null(strstr(text, "<svg"));
	no_attack("svg", hostile_in_html(text));
	free(text);
}

/* The oracles find what they are for. */
static void oracles_see(void **state)
{
	static const struct {
		const char *(*oracle)(const char *text);
		const char *good, *bad;
	} cases[] = {
		{hostile_in_gp, "set title \"PWN\\140\" # PWN", "set title \"PWN`\""},
		{hostile_in_gp, "plot x title 'PWN`'", "plot x\nPWN"},
		{hostile_in_html, "<p class=\"PWN\">PWN&lt;x></p>", "<p>PWN<img/src=PWN></p>"},
		{hostile_in_html, "<a href=\"x\">\"PWN=</a>", "<a href=\"x\" onload=PWN>"},
		{hostile_in_html, "<style>p{}</style>PWN", "<style>PWN</style>"},
		{hostile_in_html, "<script type=\"application/json\">[\"PWN\"]</script>", "<script>PWN</script>"},
		{hostile_in_md, "| PWN | PWN\\|PWN |", "| PWN|PWN |"},
		{hostile_in_md, "**a** PWN\\[PWN\\]PWN", "PWN[PWN](PWN)"},
		{hostile_in_tex, "\\a{PWN\\textbackslash{}PWN}", "PWN\\input{PWN}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_null(cases[i].oracle(cases[i].good));
		assert_non_null(cases[i].oracle(cases[i].bad));
	}
}

/* Names that a guest chooses are part of a series, of its page, of its data. */
static void dashboard_holds_text_as_text(void **state)
{
	char *key = xasprintf("exit-cost/virtio/builtin%s/linux/host/real;k=%s", hostile_text, hostile_text),
	     *name = xasprintf("exit_cost_ns.%s", hostile_text);
	struct series_point p[12] = {{.id = "a"}};
	struct dash_config config = {
		.key = key, .workload = (char *)hostile_text, .machine = (char *)hostile_text};
	struct dash_series s = {.config = &config,
				.metric = metric_find("exit_cost_ns"),
				.name = name,
				.p = p,
				.n = 12,
				.page = (char *)"page.html",
				.title = (char *)hostile_text,
				.comment = (char *)hostile_text};
	struct run_row row[1] = {{.ok = true}};
	struct dash d = {
		.series = &s, .n = 1, .row = row, .rows = 1, .runs_dir = dir, .store_runs = hostile_text};
	struct dash_noise noise = {.workload = hostile_text, .metric = name, .v = (double[]){0.1}, .n = 1};
	struct dash_machine machine[2] = {{.name = hostile_text,
					   .page = (char *)"m.html",
					   .newest = row,
					   .speed = s,
					   .noise = &noise,
					   .noises = 1}};
	struct dash_mix mix = {.reasons = 1, .value = xcalloc(DASH_REASONS * 12, sizeof(double))};
	struct strbuf index = STRBUF_INIT, page = STRBUF_INIT, of_machine = STRBUF_INIT;

	(void)state;
	s.verdict = DASH_WORSE; /* so that the machine's page names it */
	machine[0].findings =
		json_pack("{s:s, s:{s:{s:s, s:s, s:s}}}", "at", hostile_text, "findings", hostile_text,
			  "verdict", hostile_text, "found", hostile_text, "todo", hostile_text);
	machine[1] = machine[0];
	d.machine = machine;
	d.machines = ARRAY_SIZE(machine);
	snprintf(mix.name[0], sizeof(mix.name[0]), "%s", hostile_text);
	for (size_t i = 0; i < 12; i++)
		snprintf(p[i].id, sizeof(p[i].id), "%s", hostile_text);
	snprintf(row[0].id, sizeof(row[0].id), "%s", hostile_text);
	row[0].version = (char *)hostile_text;
	dash_index_html(&d, &index);
	dash_series_html(&d, &s, &mix, &page);
	no_attack("index", hostile_in_html(strbuf_str(&index)));
	no_attack("page", hostile_in_html(strbuf_str(&page)));
	dash_machine_html(&d, machine, &noise, 1, &of_machine);
	no_attack("machine", hostile_in_html(strbuf_str(&of_machine)));
	json_decref(machine[0].findings);
	strbuf_free(&of_machine);
	strbuf_free(&index);
	strbuf_free(&page);
	free(mix.value);
	free(key);
	free(name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(oracles_see),
		cmocka_unit_test(reports_hold_text_as_text),
		cmocka_unit_test(drawings_in_a_page),
		cmocka_unit_test(dashboard_holds_text_as_text),
		cmocka_unit_test(figures_hold_text_in_strings),
		cmocka_unit_test(gnuplot_runs_nothing),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
