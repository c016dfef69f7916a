// SPDX-License-Identifier: MIT
/* From a row of the table to files: head of the .gp, .dat, caption, style, gnuplot. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/assets.h"
#include "analysis/figure.h"
#include "analysis/gnuplot.h"
#include "base/file.h"
#include "base/log.h"
#include "base/strlist.h"

#define FONT_PT	  7
#define PNG_DPI	  300.0
#define SVG_DPI	  96.0
#define PT_PER_IN 72.0
#define CAIRO_DPI 96.0 /* gnuplot's cairo terminals take a point of text for 1/72 in of a screen of so many */

static const char *const format_names[] = {"pdf", "svg", "png"};

const char *figure_format_name(enum fig_format f)
{
	return format_names[f];
}

int figure_format_parse(const char *s, enum fig_format *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(format_names); i++) {
		if (!strcmp(s, format_names[i])) {
			*out = (enum fig_format)i;
			return 0;
		}
	}
	return -EINVAL;
}

int figure_width_parse(const char *s, double *out)
{
	static const struct {
		const char *unit;
		double in;
	} units[] = {{"in", 1}, {"cm", 1 / 2.54}, {"mm", 1 / 25.4}, {"", 1}};
	char *end;
	double v = strtod(s, &end);

	for (size_t i = 0; end != s && i < ARRAY_SIZE(units); i++) {
		if (strcmp(end, units[i].unit))
			continue;
		*out = v * units[i].in;
		if (*out >= 1 && *out <= 20)
			return 0;
	}
	return -EINVAL;
}

bool figure_set_comparable(const struct fig_set *set, const char **what)
{
	struct record first = record_of(set->rec[0]);

	for (size_t i = 1; i < set->n; i++) {
		struct record r = record_of(set->rec[i]);

		*what = "substrate";
		if (strcmp(r.substrate, first.substrate) != 0)
			return false;
		*what = "time_base";
		if (strcmp(r.time_base, first.time_base) != 0)
			return false;
	}
	return true;
}

/* FONT_PT text at every size, as pdftotext -bbox measures it. */
static void add_terminal(struct strbuf *gp, const struct fig_target *to, const struct fig_doc *doc)
{
	double w = doc->width_in, h = doc->height_in;

	switch (to->format) {
	case FIG_PDF:
		strbuf_addf(
			gp,
			"set terminal pdfcairo noenhanced size %.2fin,%.2fin font \"Liberation Sans,%d\" "
			"fontscale %.3f\n",
			w, h, FONT_PT, PT_PER_IN / CAIRO_DPI);
		break;
	case FIG_SVG:
		strbuf_addf(
			gp,
			"set terminal svg noenhanced size %.0f,%.0f fixed font \"Arial,%d\" fontscale %.3f "
			"linewidth %.3f\n",
			w * SVG_DPI, h * SVG_DPI, FONT_PT, SVG_DPI / PT_PER_IN,
			SVG_DPI / PT_PER_IN);
		break;
	case FIG_PNG:
		strbuf_addf(
			gp,
			"set terminal pngcairo noenhanced size %.0f,%.0f font \"Liberation Sans,%d\" "
			"fontscale %.3f linewidth %.3f pointscale %.3f\n",
			w * PNG_DPI, h * PNG_DPI, FONT_PT, PNG_DPI / CAIRO_DPI, PNG_DPI / PT_PER_IN,
			PNG_DPI / PT_PER_IN);
		break;
	}
}

static void add_head(struct strbuf *gp, const struct figure *fig, const struct fig_target *to,
		     const struct fig_doc *doc)
{
	char *out = xasprintf("%s.%s", to->stem, figure_format_name(to->format)),
	     *dat = xasprintf("%s.dat", to->stem), *script = xasprintf("%s.gp", to->stem);
	double mark = 1;

	str_one_line(script);
	strbuf_addf(
		gp,
		"# Exitlab figure \"%s\": %s.\n# Draw it again, in this folder: gnuplot %s\n",
		fig->name, fig->title, script);
	add_terminal(gp, to, doc);
	strbuf_adds(gp, "set output ");
	fig_quote(gp, out);
	/* The svg terminal draws points smaller than the others do. */
	if (to->format == FIG_SVG)
		mark = 1.6;
	strbuf_addf(gp, "\nmark = %g\nload \"style.gp\"\ndat = ", mark);
	fig_quote(gp, dat);
	strbuf_adds(gp, "\n\n");
	free(out);
	free(dat);
	free(script);
}

static void add_range(struct strbuf *sb, const char *what, size_t low, size_t high)
{
	if (low == high)
		strbuf_addf(sb, "%s = %zu", what, low);
	else
		strbuf_addf(sb, "%s = %zu to %zu", what, low, high);
}

static void add_n(struct strbuf *sb, const struct fig_set *set)
{
	size_t low = SIZE_MAX, high = 0;

	for (size_t i = 0; i < set->n; i++) {
		low = MIN(low, record_ok_samples(set->rec[i]));
		high = MAX(high, record_ok_samples(set->rec[i]));
	}
	add_range(sb, "n", low, high);
	strbuf_adds(sb, " boots per configuration. ");
	if (low < STATS_MIN_N)
		strbuf_addf(sb, "No interval is drawn where n is below %d: too few boots. ",
			    STATS_MIN_N);
}

static void add_distinct(struct strbuf *sb, const char *before, struct strlist *texts)
{
	strbuf_adds(sb, before);
	for (size_t i = 0; i < texts->n; i++) {
		if (i)
			strbuf_adds(sb, " and ");
		strbuf_adds(sb, text_or(texts->v[i], "not recorded"));
	}
	strlist_free(texts);
}

static void add_platform(struct strbuf *sb, const struct fig_set *set)
{
	struct strlist cpu = STRLIST_INIT, kernel = STRLIST_INIT, substrate = STRLIST_INIT,
		       base = STRLIST_INIT;

	for (size_t i = 0; i < set->n; i++) {
		struct record_environment e = record_environment_of(set->rec[i]);

		strlist_add_once(&cpu, e.cpu);
		strlist_add_once(&kernel, e.kernel);
		strlist_add_once(&substrate, record_of(set->rec[i]).substrate);
		strlist_add_once(&base, record_of(set->rec[i]).time_base);
	}
	add_distinct(sb, "Platform: ", &cpu);
	add_distinct(sb, ", Linux ", &kernel);
	add_distinct(sb, "; substrate: ", &substrate);
	add_distinct(sb, "; time base: ", &base);
}

static void add_caption(struct strbuf *sb, const struct figure *fig, const struct fig_set *set,
			const struct fig_doc *doc)
{
	strbuf_addf(sb, "%s. %s ", fig->title, strbuf_str(&doc->caption));
	add_n(sb, set);
	add_platform(sb, set);
	strbuf_adds(sb, ". Runs:");
	for (size_t i = 0; i < set->n; i++)
		strbuf_addf(sb, " %s", record_of(set->rec[i]).id);
	strbuf_adds(sb, ".\n");
}

static int write_beside(const struct fig_target *to, const char *name, const char *ext,
			const struct strbuf *text)
{
	char *path = xasprintf("%s/%s%s", to->dir, name, ext);
	int err = file_write_atomic(path, strbuf_str(text), text->len);

	if (err)
		log_error("%s: cannot write: %s", path, strerror(-err));
	free(path);
	return err;
}

static int write_files(const struct figure *fig, const struct fig_set *set,
		       const struct fig_target *to, struct fig_doc *doc)
{
	struct strbuf gp = STRBUF_INIT, caption = STRBUF_INIT, style = STRBUF_INIT;
	int err = dir_make_all(to->dir);

	if (err)
		log_error("%s: cannot make this folder: %s", to->dir, strerror(-err));
	add_head(&gp, fig, to, doc);
	strbuf_add(&gp, strbuf_str(&doc->gp), doc->gp.len);
	add_caption(&caption, fig, set, doc);
	strbuf_adds(&style, asset_style_gp);
	if (!err)
		err = write_beside(to, to->stem, ".gp", &gp);
	if (!err)
		err = write_beside(to, to->stem, ".dat", &doc->dat);
	if (!err)
		err = write_beside(to, to->stem, ".txt", &caption);
	if (!err)
		err = write_beside(to, "style", ".gp", &style);
	if (!err && !to->only_text)
		err = gnuplot_run(to, &gp, &doc->dat, &style);
	strbuf_free(&gp);
	strbuf_free(&caption);
	strbuf_free(&style);
	return err;
}

/* The records that the figure has something to draw of; all of them when that would be none, so
 * that it says why. */
static struct fig_set drawable(const struct figure *fig, const struct fig_set *set)
{
	struct fig_set some = {xcalloc(set->n + 1, sizeof(*some.rec)), 0};

	for (size_t i = 0; i < set->n; i++)
		if (!fig->has || fig->has(set->rec[i]))
			some.rec[some.n++] = set->rec[i];
	if (!some.n)
		memcpy(some.rec, set->rec, (some.n = set->n) * sizeof(*some.rec));
	return some;
}

int figure_render(const struct figure *fig, const struct fig_set *set, const struct fig_target *to,
		  char **why)
{
	struct fig_doc doc = {.width_in = to->width_in, .height_in = fig->aspect * to->width_in};
	struct fig_set some = drawable(fig, set);
	int err;

	*why = NULL;
	/* A wide figure need not be as tall as it is wide. */
	if (to->width_in >= FIG_WIDE_IN)
		doc.height_in *= 0.62;
	err = fig->draw(&some, &doc);
	if (err == -ENODATA)
		*why = strbuf_take(&doc.missing);
	if (!err)
		err = write_files(fig, &some, to, &doc);
	free(some.rec);
	strbuf_free(&doc.dat);
	strbuf_free(&doc.gp);
	strbuf_free(&doc.caption);
	strbuf_free(&doc.missing);
	return err;
}
