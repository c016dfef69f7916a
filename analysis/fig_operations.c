// SPDX-License-Identifier: MIT
/* kernel-ops in each step of the evolution, as heat maps: cost, of which bare metal is 1, and exits. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/evolution.h"
#include "analysis/figure.h"

#define DARK	60.0 /* from here on the number is written in white */
#define CHAR_IN 0.053 /* mean width of a letter at 7 pt */
#define LINE_IN 0.115
#define LEFT_IN 0.85 /* what the operations' names take of the width */
#define KEY_IN	0.6  /* and the key of colours, where there is room for one */

/* One number for each operation and record. */
struct heat {
	double (*value)(const struct fig_set *set, size_t i, const char *metric); /* NAN: none */
	void (*text)(double value, char *buf, size_t size);
	double low; /* the palest colour's; the darkest is 1000 */
	const char *caption;
};

bool fig_has_operations(const json_t *rec)
{
	struct interval iv;

	return evolution_has_times(rec) && record_summary(rec, evolution_metric(0), &iv);
}

static bool exits_of(const json_t *rec, const char *metric, struct interval *iv)
{
	char *name = xasprintf("exits_per_op.%s", evolution_operation(metric));
	bool has = record_summary(rec, name, iv);

	free(name);
	return has;
}

bool fig_has_operation_exits(const json_t *rec)
{
	struct interval iv;

	return evolution_has_counts(rec) && exits_of(rec, evolution_metric(0), &iv);
}

/* ---- numbers ---- */

/* "1.0", "38", "1.2k". */
static void ratio_text(double ratio, char *buf, size_t size)
{
	if (ratio < 9.95)
		snprintf(buf, size, "%.1f", ratio);
	else if (ratio < 999.5)
		snprintf(buf, size, "%.0f", ratio);
	else
		snprintf(buf, size, "%.1fk", ratio / 1000);
}

static void exits_text(double exits, char *buf, size_t size)
{
	if (exits < 0.05)
		snprintf(buf, size, "0");
	else
		ratio_text(exits, buf, size);
}

/* The bare metal of the record's machine, or the first record of that machine where there is none. */
static const json_t *base_of(const struct fig_set *set, size_t i)
{
	const json_t *base = evolution_base(set->rec[i], set->rec, set->n);
	const char *what;

	for (size_t k = 0; !base; k++) {
		struct fig_set two = {(json_t *[]){set->rec[k], set->rec[i]}, 2};

		if (figure_set_comparable(&two, &what))
			base = set->rec[k];
	}
	return base;
}

static double cost_value(const struct fig_set *set, size_t i, const char *metric)
{
	return evolution_ratio(set->rec[i], base_of(set, i), metric);
}

static double exits_value(const struct fig_set *set, size_t i, const char *metric)
{
	struct interval iv;

	if (!exits_of(set->rec[i], metric, &iv))
		return NAN;
	return iv.point;
}

/* Of record i. A field without a number stays white. */
static size_t add_column(const struct heat *h, const struct fig_set *set, size_t i, struct fig_doc *doc)
{
	size_t shown = 0, at = 0;
	const char *metric;

	for (; (metric = evolution_metric(at)); at++) {
		double value = h->value(set, i, metric);
		char text[16];

		if (!(value >= 0))
			continue;
		h->text(value, text, sizeof(text));
		strbuf_addf(&doc->dat, "%zu %zu %.6g %s %d\n", i, at, value, text, value >= DARK);
		shown++;
	}
	return shown;
}

/* ---- axes ---- */

static char *column_label(const struct fig_set *set, size_t i)
{
	const struct evolution_step *step = evolution_step_of(set->rec[i]);

	if (step)
		return xstrdup(step->name);
	return fig_label(set, i, NULL);
}

/* Breaks at blanks into lines of so many letters. Their number, or 0 when a word is longer. */
static unsigned wrap_label(char *label, size_t letters)
{
	unsigned lines = 1;
	size_t len = 0;
	char *blank = NULL;

	for (char *c = label; *c; c++) {
		len++;
		if (*c == ' ')
			blank = c;
		if (len <= letters || *c == ' ')
			continue;
		if (!blank)
			return 0;
		*blank = '\n';
		len = (size_t)(c - blank);
		blank = NULL;
		lines++;
	}
	return lines;
}

/* The lines of the longest label, or 0 when one does not fit at all. */
static unsigned label_lines(const struct fig_set *set, size_t letters)
{
	unsigned most = 1, lines = 1;

	for (size_t i = 0; i < set->n && lines; i++) {
		char *label = column_label(set, i);

		lines = wrap_label(label, letters);
		most = MAX(most, lines);
		free(label);
	}
	if (!lines)
		return 0;
	return most;
}

/* Side by side in lines, or turned when they do not fit. */
static void record_axis(const struct fig_set *set, struct fig_doc *doc)
{
	double slots_in = doc->width_in - LEFT_IN;
	size_t letters;
	unsigned lines;

	if (doc->width_in >= FIG_WIDE_IN)
		slots_in -= KEY_IN;
	letters = (size_t)(slots_in / (double)set->n / CHAR_IN);
	lines = label_lines(set, letters);

	strbuf_adds(&doc->gp, "set xtics (");
	for (size_t i = 0; i < set->n; i++) {
		char *label = column_label(set, i);

		if (lines)
			wrap_label(label, letters);
		strbuf_adds(&doc->gp, text_if(i, ", "));
		fig_quote_tic(&doc->gp, label);
		strbuf_addf(&doc->gp, " %zu", i);
		free(label);
	}
	strbuf_addf(&doc->gp, ") scale 0%s\n", text_if(!lines, " rotate by 40 right"));
	doc->height_in = 1.1;
	if (!lines)
		return;
	/* gnuplot leaves room for one line only. */
	strbuf_addf(&doc->gp, "set bmargin %.1f\n", 0.9 + 0.95 * lines);
	doc->height_in = 0.3 + LINE_IN * lines;
}

/* Columns are records, rows are operations from the top. */
static void operation_axes(const struct fig_set *set, struct fig_doc *doc)
{
	const char *metric;
	size_t n = 0;

	record_axis(set, doc);
	strbuf_adds(&doc->gp, "set ytics (");
	for (; (metric = evolution_metric(n)); n++) {
		char *label = xstrdup(evolution_operation(metric));

		for (char *c = label; (c = strchr(c, '_'));)
			*c = ' ';
		strbuf_adds(&doc->gp, text_if(n, ", "));
		fig_quote_tic(&doc->gp, label);
		strbuf_addf(&doc->gp, " %zu", n);
		free(label);
	}
	strbuf_addf(&doc->gp,
		    ") scale 0\nset xrange [-0.5:%zu.5]\nset yrange [%zu.5:-0.5]\n"
		    "unset grid\nunset key\nset border 0\n",
		    set->n - 1, n - 1);
	doc->height_in += 0.17 * (double)n;
}

/* Blue from pale to dark: readable without colour too. */
static const char colours[] =
	"set format cb \"%g\"\n"
	"set palette defined (0 \"#F7FBFF\", 0.35 \"#9ECAE1\", 0.65 \"#4292C6\", 1 \"#08306B\")\n"
	"plot dat using 1:2:($1-0.48):($1+0.48):($2-0.46):($2+0.46):(shown($3)) "
	"with boxxyerror fillstyle solid 1 noborder "
	"lc palette, \\\n"
	"     dat using 1:($5 == 0 ? $2 : NaN):4 with labels tc rgb \"#000000\", \\\n"
	"     dat using 1:($5 == 1 ? $2 : NaN):4 with labels tc rgb \"#FFFFFF\"\n";

static int draw_heat(const struct heat *h, const struct fig_set *set, struct fig_doc *doc)
{
	size_t shown = 0;

	strbuf_adds(&doc->dat, "# record operation number text dark\n");
	for (size_t i = 0; i < set->n; i++)
		shown += add_column(h, set, i, doc);
	if (!shown)
		return fig_missing(doc, "none of the records has such a number of an operation (kernel-ops)");
	operation_axes(set, doc);
	if (doc->width_in < FIG_WIDE_IN)
		strbuf_adds(&doc->gp, "unset colorbox\n");
	strbuf_addf(&doc->gp, "low = %g\nshown(x) = x < low ? low : x\nset logscale cb 10\nset cbrange [low:1000]\n",
		    h->low);
	strbuf_adds(&doc->gp, colours);
	strbuf_adds(&doc->caption, h->caption);
	return 0;
}

int fig_operations(const struct fig_set *set, struct fig_doc *doc)
{
	static const struct heat cost = {
		cost_value, ratio_text, 1,
		"Cost of each operation, relative to the bare metal of the same machine, or its first record (logarithmic colours)"};

	return draw_heat(&cost, set, doc);
}

int fig_operation_exits(const struct fig_set *set, struct fig_doc *doc)
{
	static const struct heat exits = {
		exits_value, exits_text, 0.1,
		"Exits to the hypervisor in each operation (logarithmic colours; 0 is less than 0.05)"};

	return draw_heat(&exits, set, doc);
}
