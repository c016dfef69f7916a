// SPDX-License-Identifier: MIT
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "analysis/figure.h"
#include "analysis/report.h"
#include "base/file.h"
#include "tests/golden/sets.h"

static char dir[] = "/tmp/exitlab-figures-XXXXXX";

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

static void same_file(const char *name, const char *ext)
{
	struct strbuf want = STRBUF_INIT, got = STRBUF_INIT;
	char *golden = xasprintf("tests/golden/figures/%s%s", name, ext),
	     *ours = xasprintf("%s/%s%s", dir, name, ext);

	if (file_read(golden, &want))
		fail_msg("%s: missing; look at the figure, then `make golden`", golden);
	assert_int_equal(file_read(ours, &got), 0);
	if (strcmp(strbuf_str(&want), strbuf_str(&got)))
		fail_msg("%s differs from %s; look at the figure, then `make golden`", ours,
			 golden);
	strbuf_free(&want);
	strbuf_free(&got);
	free(golden);
	free(ours);
}

static void figures_write_what_is_stored(void **state)
{
	(void)state;
	for (const struct golden_set *g = golden_sets; g->figure; g++) {
		struct fig_target to = {dir, g->figure, FIG_PDF, 3.3, true};
		struct fig_set set;
		char *why;

		golden_load(g, &set);
		assert_int_equal(figure_render(figure_find(g->figure), &set, &to, &why), 0);
		same_file(g->figure, ".dat");
		same_file(g->figure, ".gp");
		same_file(g->figure, ".txt");
		golden_free(&set);
	}
	same_file("style", ".gp");
}

static void every_figure_has_a_golden_set(void **state)
{
	(void)state;
	for (const struct figure *f = figure_table; f->name; f++) {
		const struct golden_set *g = golden_sets;

		while (g->figure && strcmp(g->figure, f->name))
			g++;
		assert_non_null(g->figure);
	}
}

/* Every figure says what it lacks, and never draws what is not there. */
static void missing_data_is_said(void **state)
{
	(void)state;
	for (const struct figure *f = figure_table; f->name; f++) {
		struct fig_target to = {dir, "missing", FIG_PDF, 3.3, true};
		json_t *rec = json_pack("{s:s, s:s, s:[], s:{}}", "workload", "boot", "mode", "",
					"samples", "summary");
		struct fig_set set = {&rec, 1};
		char *why;

		assert_int_equal(figure_render(f, &set, &to, &why), -ENODATA);
		assert_non_null(why);
		assert_true(strlen(why) > 10);
		assert_non_null(strstr(f->supply, "bench run "));
		free(why);
		json_decref(rec);
	}
}

static void few_boots_draw_no_interval(void **state)
{
	struct golden_set few = {"throughput", fixture_few, 0, 0};
	struct fig_target to = {dir, "few", FIG_PDF, 3.3, true};
	struct strbuf text = STRBUF_INIT;
	struct fig_set set;
	char *why, *path;

	(void)state;
	golden_load(&few, &set);
	assert_int_equal(figure_render(figure_find("throughput"), &set, &to, &why), 0);
	path = xasprintf("%s/few.txt", dir);
	assert_int_equal(file_read(path, &text), 0);
	assert_non_null(strstr(strbuf_str(&text), "n = 3 boots"));
	assert_non_null(strstr(strbuf_str(&text), "too few boots"));
	free(path);
	strbuf_reset(&text);
	path = xasprintf("%s/few.dat", dir);
	assert_int_equal(file_read(path, &text), 0);
	assert_non_null(strstr(strbuf_str(&text), " NaN NaN 3 "));
	free(path);
	strbuf_free(&text);
	golden_free(&set);
}

/* An overloaded path: its axis is in milliseconds, the data stay in microseconds. */
static void slow_loads_are_drawn_in_ms(void **state)
{
	static const struct fixture slow[] = {
		{"net-latency", "virtio", "rate", 1000, 10, 0, 1, 0, NULL, NULL},
		{"net-latency", "virtio", "rate", 1.6e6, 10, 0, 2, 0, NULL, NULL},
		{NULL, NULL, NULL, 0, 0, 0, 0, 0, NULL, NULL},
	};
	struct golden_set g = {"load", slow, 0, 0};
	struct fig_target to = {dir, "slow", FIG_PDF, 3.3, true};
	struct strbuf gp = STRBUF_INIT;
	struct fig_set set;
	char *why, *path = xasprintf("%s/slow.gp", dir);

	(void)state;
	golden_load(&g, &set);
	assert_int_equal(figure_render(figure_find("load"), &set, &to, &why), 0);
	assert_int_equal(file_read(path, &gp), 0);
	assert_non_null(strstr(strbuf_str(&gp), "latency (ms)\"\nunit = 1000\n"));
	strbuf_free(&gp);
	free(path);
	golden_free(&set);
}

static void labels_tell_records_apart(void **state)
{
	static const struct {
		const char *a, *b; /* what each record has beyond mode virtio */
		const char *label;
	} cases[] = {
		{"{\"vmm\": \"builtin\"}", "{\"vmm\": \"qemu\"}", "builtin"},
		{"{\"mode\": \"e1000\"}", "{\"mode\": \"vhost\"}", "e1000"},
		{"{\"knobs\": {\"queues\": \"4\"}}", "{\"knobs\": {\"queues\": \"1\"}}",
		 "queues=4"},
		{"{\"mode\": \"host\", \"vmm\": \"\"}", "{\"vmm\": \"builtin\"}", "host"},
		{"{}", "{}", "virtio"},
		{"{\"id\": \"20260101-000000-00aaaa\"}", "{\"id\": \"20260102-000000-00aaaa\"}",
		 "virtio, 20260101-000000"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *rec[2];
		struct fig_set set = {rec, 2};
		char *label;

		for (int k = 0; k < 2; k++) {
			json_t *more = json_loads(k ? cases[i].b : cases[i].a, 0, NULL);

			rec[k] = json_pack("{s:s}", "mode", "virtio");
			json_object_update(rec[k], more);
			json_decref(more);
		}
		label = fig_label(&set, 0, NULL);
		assert_string_equal(label, cases[i].label);
		free(label);
		json_decref(rec[0]);
		json_decref(rec[1]);
	}
}

static char *drawn(const char *figure, const struct fig_set *set, const char *ext)
{
	struct fig_target to = {dir, "drawn", FIG_PDF, 3.3, true};
	char *path = xasprintf("%s/drawn%s", dir, ext), *why;
	struct strbuf text = STRBUF_INIT;

	assert_int_equal(figure_render(figure_find(figure), set, &to, &why), 0);
	assert_int_equal(file_read(path, &text), 0);
	free(path);
	return strbuf_take(&text);
}

/* Samples stand where the plan ran them, warm-ups count as places, and a failed one is marked. */
static void timeline_follows_the_plan(void **state)
{
	json_t *rec = json_loads(
		"{\"mode\": \"vhost\", \"plan\": {\"cell\": \"vhost/builtin\", \"order\": [\"vhost/builtin/0 warm-up\","
		"  \"virtio/builtin/0\", \"vhost/builtin/0\", \"virtio/builtin/1\", \"virtio/builtin/2\", \"vhost/builtin/1\"]},"
		" \"summary\": {\"throughput_bps\": {\"median\": 100, \"n\": 1}},"
		" \"samples\": [{\"ok\": true, \"metrics\": {\"throughput_bps\": 110}}, {\"ok\": false}]}",
		0, NULL);
	struct fig_set set = {&rec, 1};
	char *dat;

	(void)state;
	assert_non_null(rec);
	dat = drawn("timeline", &set, ".dat");
	assert_non_null(strstr(dat, "\n3 1.1 NaN\n6 NaN 1\n"));
	free(dat);
	/* The axis holds the whole plan, of which this run is a part. */
	dat = drawn("timeline", &set, ".gp");
	assert_non_null(strstr(dat, "set xrange [0:7]\n"));
	free(dat);
	json_decref(rec);
}

/* Mode host has no exits: it is left out, caption included, not drawn as zero. */
static void runs_without_the_data_are_left_out(void **state)
{
	struct golden_set g = {"exits", fixture_modes, 0, 3};
	struct fig_set set;
	char *gp, *caption;

	(void)state;
	golden_load(&g, &set);
	gp = drawn("exits", &set, ".gp");
	assert_null(strstr(gp, "\"host\""));
	assert_non_null(strstr(gp, "\"e1000\" 0"));
	caption = drawn("exits", &set, ".txt");
	assert_null(strstr(caption, json_string_value(json_object_get(set.rec[0], "id"))));
	assert_non_null(strstr(caption, json_string_value(json_object_get(set.rec[1], "id"))));
	free(gp);
	free(caption);
	golden_free(&set);
}

/* A halted guest waits; that is not what an exit costs. */
static void halts_are_no_price(void **state)
{
	struct golden_set g = {"exit-breakdown", fixture_modes, 2, 1};
	struct fig_set set;
	char *dat;

	(void)state;
	golden_load(&g, &set);
	dat = drawn("exit-breakdown", &set, ".dat");
	assert_null(strstr(dat, "\"hlt\""));
	assert_non_null(strstr(dat, "\"npf\""));
	free(dat);
	golden_free(&set);
}

/* Where KVM emits no kvm_exit, its part of an exit is unknown, not nothing. */
static void time_in_kvm_is_not_drawn_as_nothing(void **state)
{
	struct golden_set g = {"exit-breakdown", fixture_modes, 2, 1};
	struct fig_target to = {dir, "userspace-only", FIG_PDF, 3.3, true};
	struct fig_set set;
	json_t *exit;
	char *why;
	size_t i;

	(void)state;
	golden_load(&g, &set);
	json_array_foreach (json_object_get(set.rec[0], "exits"), i, exit) {
		json_object_set_new(exit, "kvm_fast_ns", json_real(0));
		json_object_set_new(exit, "kvm_ns", json_real(0));
	}
	assert_int_equal(figure_render(figure_find("exit-breakdown"), &set, &to, &why), -ENODATA);
	assert_non_null(strstr(why, "userspace only"));
	free(why);
	golden_free(&set);
}

/* A run without a mode (exit-cost) has no comma in front of nothing. */
/* A pair differs in one extension and in nothing else; what it did not change is not drawn. */
static void pairs_differ_in_one_extension(void **state)
{
	static const char with[] = "[{\"reason\": \"io\", \"key\": \"\", \"count\": 50}]";
	static const char without[] =
		"[{\"reason\": \"io\", \"key\": \"\", \"count\": 50},"
		" {\"reason\": \"msr_write\", \"key\": \"0x80b\", \"count\": 20},"
		" {\"reason\": \"invlpg\", \"key\": \"0x1000\", \"count\": 4},"
		" {\"reason\": \"invlpg\", \"key\": \"0x2000\", \"count\": 26}]";
	struct golden_set g = {"assistance", fixture_assistance, 0, 2};
	struct fig_target to = {dir, "pair", FIG_PDF, 3.3, true};
	struct strbuf dat = STRBUF_INIT;
	struct fig_set set;
	char *why, *path = xasprintf("%s/pair.dat", dir);

	(void)state;
	golden_load(&g, &set);
	json_object_set_new(set.rec[0], "exits", json_loads(with, 0, NULL));
	json_object_set_new(set.rec[1], "exits", json_loads(without, 0, NULL));
	assert_int_equal(figure_render(figure_find("assistance"), &set, &to, &why), 0);
	assert_int_equal(file_read(path, &dat), 0);
	assert_string_equal(strchr(strbuf_str(&dat), '\n'), "\n1 100 50 100 50 \"all exits\"\n"
							    "2 30 0 30 0.3 \"invlpg\"\n"
							    "3 20 0 20 0.3 \"msr_write 0x80b\"\n");
	strbuf_free(&dat);
	json_object_set_new(json_object_get(set.rec[0], "knobs"), "apicv", json_string("on"));
	assert_int_equal(figure_render(figure_find("assistance"), &set, &to, &why), -ENODATA);
	free(why);
	free(path);
	golden_free(&set);
}

static void captions_name_the_run(void **state)
{
	struct golden_set g = {"exit-cost", fixture_modes, 2, 1};
	struct fig_set set;
	char *caption;

	(void)state;
	golden_load(&g, &set);
	json_object_set_new(set.rec[0], "mode", json_string(""));
	caption = drawn("exit-cost", &set, ".txt");
	assert_non_null(strstr(caption, "net-throughput: from median"));
	free(caption);
	golden_free(&set);
}

static void widths(void **state)
{
	static const struct {
		const char *text;
		int err;
		double in;
	} cases[] = {
		{"3.3in", 0, 3.3},	{"7in", 0, 7},		 {"7", 0, 7},
		{"85mm", 0, 3.3464566}, {"8.5cm", 0, 3.3464566}, {"0.5in", -EINVAL, 0},
		{"400in", -EINVAL, 0},	{"3.3pt", -EINVAL, 0},	 {"", -EINVAL, 0},
		{"in", -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		double in = 0;

		assert_int_equal(figure_width_parse(cases[i].text, &in), cases[i].err);
		if (!cases[i].err)
			assert_float_equal(in, cases[i].in, 1e-6);
	}
}

static void substrates_do_not_mix(void **state)
{
	json_t *rec[2] = {json_pack("{s:s}", "substrate", "host"),
			  json_pack("{s:s}", "substrate", "lab")};
	struct fig_set set = {rec, 2};
	const char *what = NULL;

	(void)state;
	assert_false(figure_set_comparable(&set, &what));
	assert_string_equal(what, "substrate");
	set.n = 1;
	assert_true(figure_set_comparable(&set, &what));
	json_decref(rec[0]);
	json_decref(rec[1]);
}

/* Label positions: [0, 1], apart, in order. */
/* What gnuplot's style says after key, up to the next blank or quote. */
static void style_word(const char *line, const char *key, char word[32])
{
	const char *at = strstr(line, key);

	assert_non_null(at);
	snprintf(word, 32, "%.*s", (int)strcspn(at + strlen(key), " \"\n"), at + strlen(key));
}

static double grey(const char *hex)
{
	unsigned r, g, b;

	assert_int_equal(sscanf(hex, "%2x%2x%2x", &r, &g, &b), 3);
	return (0.299 * r + 0.587 * g + 0.114 * b) / 255;
}

/* Without its colours: a line has a dash and a mark of its own, a fill a pattern or a lightness. */
static void styles_differ_in_grey(void **state)
{
	struct {
		char dash[32], mark[32], pattern[32];
		double light;
	} line[8] = {0}, fill[8] = {0};
	struct strbuf sb = STRBUF_INIT;
	size_t lines = 0, fills = 0;
	char word[32], *save;

	(void)state;
	assert_int_equal(file_read("analysis/style.gp", &sb), 0);
	for (char *l = strtok_r(sb.buf, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		if (!strncmp(l, "set linetype ", 13) && strstr(l, " dt ") && lines < 8) {
			style_word(l, " dt ", line[lines].dash);
			style_word(l, " pt ", line[lines++].mark);
		} else if (!strncmp(l, "fill", 4) && fills < 8) {
			style_word(l, "fc rgb \"#", word);
			fill[fills].light = grey(word);
			style_word(l, strstr(l, "pattern") ? "fs pattern " : "fs ", fill[fills++].pattern);
		}
	}
	assert_int_equal(lines, 8);
	assert_int_equal(fills, 8);
	for (size_t i = 0; i < 8; i++) {
		for (size_t k = 0; k < i; k++) {
			assert_string_not_equal(line[i].dash, line[k].dash);
			assert_string_not_equal(line[i].mark, line[k].mark);
			assert_true(strcmp(fill[i].pattern, fill[k].pattern) != 0 ||
				    fabs(fill[i].light - fill[k].light) > 0.1);
		}
	}
	strbuf_free(&sb);
}

static void end_labels_do_not_touch(void **state)
{
	struct fig_end_label l[] = {{"a", 1, 0.99}, {"b", 2, 0.98}, {"c", 3, 0.97}, {"d", 4, 0.10}};
	struct fig_doc doc = {.width_in = 3.3};

	(void)state;
	fig_end_labels(&doc, l, ARRAY_SIZE(l), 1.15);
	for (size_t i = 0; i < ARRAY_SIZE(l); i++) {
		assert_true(l[i].y >= 0 && l[i].y <= 1.0001);
		if (i)
			assert_true(l[i].y - l[i - 1].y >= 0.0999);
	}
	strbuf_free(&doc.gp);
}

/* ---- reports ---- */

static char *report_of(const struct fixture *f, enum doc_format format)
{
	struct golden_set g = {"throughput", f, 0, 0};
	struct report_opts opts = {.format = format};
	struct strbuf out = STRBUF_INIT;
	struct fig_set set;

	golden_load(&g, &set);
	assert_int_equal(report_write(&set, &opts, &out), 0);
	golden_free(&set);
	return strbuf_take(&out);
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *p = strstr(text, what); p; p = strstr(p + 1, what))
		n++;
	return n;
}

static void reports_balance_and_escape(void **state)
{
	char *html = report_of(fixture_modes, DOC_HTML), *tex = report_of(fixture_modes, DOC_TEX),
	     *md = report_of(fixture_modes, DOC_MD);

	(void)state;
	assert_int_equal(count(html, "<table>"), count(html, "</table>"));
	assert_int_equal(count(html, "<tr>"), count(html, "</tr>"));
	assert_int_equal(count(html, "http"), 0); /* nothing from the network */
	assert_int_equal(count(tex, "\\begin{"), count(tex, "\\end{"));
	assert_non_null(strstr(tex, "\\toprule"));
	assert_non_null(strstr(tex, "throughput\\_bps"));
	assert_null(strstr(tex, "throughput_bps"));
	assert_non_null(strstr(md, "throughput\\_bps"));
	assert_non_null(strstr(html, "vhost-user"));
	free(html);
	free(tex);
	free(md);
}

static void reports_tell_anomalies(void **state)
{
	char *few = report_of(fixture_few, DOC_MD), *good = report_of(fixture_modes, DOC_MD);

	(void)state;
	assert_non_null(strstr(few, "n = 3 is too few boots for an interval"));
	assert_null(strstr(good, "too few"));
	assert_non_null(strstr(good, "None: every sample and check passed"));
	free(few);
	free(good);
}

static void values_carry_their_unit(void **state)
{
	static const struct {
		const char *unit;
		double v;
		const char *want;
	} cases[] = {
		{"bit/s", 1.14e9, "1.14 Gb/s"},
		{"1/s", 54600, "54.6 k/s"},
		{"ns", 320000, "320 us"},
		{"%", 12.345, "12.3 %"},
		{"1", 0.4236, "0.424"},
		{"1", 23884, "23.9 k"},
		{"B", 512, "512 B"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char buf[64];

		report_value(cases[i].unit, cases[i].v, buf, sizeof(buf));
		assert_string_equal(buf, cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(figures_write_what_is_stored),
		cmocka_unit_test(every_figure_has_a_golden_set),
		cmocka_unit_test(missing_data_is_said),
		cmocka_unit_test(few_boots_draw_no_interval),
		cmocka_unit_test(slow_loads_are_drawn_in_ms),
		cmocka_unit_test(labels_tell_records_apart),
		cmocka_unit_test(timeline_follows_the_plan),
		cmocka_unit_test(runs_without_the_data_are_left_out),
		cmocka_unit_test(halts_are_no_price),
		cmocka_unit_test(time_in_kvm_is_not_drawn_as_nothing),
		cmocka_unit_test(pairs_differ_in_one_extension),
		cmocka_unit_test(captions_name_the_run),
		cmocka_unit_test(widths),
		cmocka_unit_test(substrates_do_not_mix),
		cmocka_unit_test(styles_differ_in_grey),
		cmocka_unit_test(end_labels_do_not_touch),
		cmocka_unit_test(reports_balance_and_escape),
		cmocka_unit_test(reports_tell_anomalies),
		cmocka_unit_test(values_carry_their_unit),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
