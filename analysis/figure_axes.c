// SPDX-License-Identifier: MIT
/* Text, axes, tics and labels of a .gp. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/figure.h"
#include "base/escape.h"

static void add_quoted(struct strbuf *sb, enum language language, const char *s)
{
	strbuf_addc(sb, '"');
	escape_text(sb, language, s);
	strbuf_addc(sb, '"');
}

void fig_quote(struct strbuf *sb, const char *s)
{
	add_quoted(sb, LANGUAGE_GNUPLOT, s);
}

void fig_quote_tic(struct strbuf *sb, const char *s)
{
	add_quoted(sb, LANGUAGE_GNUPLOT_TIC, s);
}

void fig_num(struct strbuf *sb, double v)
{
	if (isfinite(v))
		strbuf_addf(sb, " %.6g", v);
	else
		strbuf_adds(sb, " NaN");
}

void fig_stack_key(struct fig_doc *doc, const char *more)
{
	const char *where = "top center horizontal Left reverse maxcols 3";

	if (doc->width_in >= FIG_WIDE_IN)
		where = "right center vertical Left reverse invert";
	strbuf_addf(&doc->gp, "set key outside %s%s\n", where, more);
}

double fig_scale(double max, double limit, const char *const *names, const char **name)
{
	double scale = 1;

	for (; max / scale >= limit && names[1]; names++)
		scale *= 1000;
	*name = *names;
	return scale;
}

double fig_si(double max, const char **prefix)
{
	static const char *const names[] = {"", "k", "M", "G", "T", NULL};

	return fig_scale(max, 1000, names, prefix);
}

#define CHAR_IN	 0.053 /* mean width of a letter at 7 pt */
#define LINE_IN	 0.115 /* height of a line */
#define YAXIS_IN 0.55  /* what the y axis takes of the width */

enum wrap { WHOLE, AT_COMMAS, AT_HYPHENS, TURNED };

/* The label in lines. Caller frees. */
static char *wrapped(const char *label, enum wrap wrap)
{
	struct strbuf sb = STRBUF_INIT;

	for (const char *s = label; *s; s++) {
		bool comma = wrap >= AT_COMMAS && s[0] == ',' && s[1] == ' ';

		if (!comma)
			strbuf_addc(&sb, *s);
		if (comma || (wrap >= AT_HYPHENS && *s == '-'))
			strbuf_addc(&sb, '\n');
		s += comma;
	}
	return strbuf_take(&sb);
}

static double longest_line_in(const char *s)
{
	size_t longest = 0, len = 0;

	for (; *s; s++) {
		len += (*s & 0xc0) != 0x80;
		if (*s == '\n')
			len = 0;
		longest = MAX(longest, len);
	}
	return (double)longest * CHAR_IN;
}

/* Width of the widest label when wrapped so, and its lines. */
static double labels_in(const struct fig_set *set, enum wrap wrap, unsigned *lines)
{
	double widest = 0;

	*lines = 1;
	for (size_t i = 0; i < set->n; i++) {
		char *label = fig_label(set, i, NULL), *text = wrapped(label, wrap);
		unsigned n = 1;

		for (const char *p = text; *p; p++)
			n += *p == '\n';
		*lines = MAX(*lines, n);
		widest = fmax(widest, longest_line_in(text));
		free(label);
		free(text);
	}
	return widest;
}

void fig_category_axis(const struct fig_set *set, struct fig_doc *doc)
{
	static const double spare[] = {[WHOLE] = 2, [AT_COMMAS] = 1.2, [AT_HYPHENS] = 1.2};
	double slot_in = (doc->width_in - YAXIS_IN) / (double)set->n,
	       margin = set->n == 1 ? 1.1 : 0.6; /* one bar alone need not be a wall */
	enum wrap wrap = WHOLE;
	unsigned lines = 1;

	while (wrap < TURNED && labels_in(set, wrap, &lines) + spare[wrap] * CHAR_IN > slot_in)
		wrap++;
	strbuf_addf(&doc->gp, "set xrange [%g:%g]\nset xtics scale 0%s (", -margin,
		    (double)set->n - 1 + margin, text_if(wrap == TURNED, " rotate by 35 right"));
	for (size_t i = 0; i < set->n; i++) {
		char *label = fig_label(set, i, NULL),
		     *text = wrapped(label, wrap == TURNED ? WHOLE : wrap);

		strbuf_adds(&doc->gp, text_if(i, ", "));
		fig_quote_tic(&doc->gp, text);
		strbuf_addf(&doc->gp, " %zu", i);
		free(label);
		free(text);
	}
	strbuf_adds(&doc->gp, ")\n");
	if (wrap == TURNED) {
		double deep_in = 0.57 * labels_in(set, WHOLE, &lines) + LINE_IN;

		doc->height_in += deep_in - 2 * LINE_IN;
		strbuf_addf(&doc->gp, "set bmargin %.1f\n", deep_in / LINE_IN);
	} else if (lines > 1) { /* gnuplot leaves room for one line only */
		strbuf_addf(&doc->gp, "set bmargin %.1f\n", 0.9 + 0.95 * lines);
	}
}

static int by_y(const void *a, const void *b)
{
	const struct fig_end_label *p = a, *q = b;

	return (p->y > q->y) - (p->y < q->y);
}

void fig_end_labels(struct fig_doc *doc, struct fig_end_label *l, size_t n, double plot_height_in)
{
	double gap = LINE_IN / plot_height_in, limit = 1;
	size_t longest = 0;

	qsort(l, n, sizeof(*l), by_y);
	for (size_t i = 1; i < n; i++)
		l[i].y = MAX(l[i].y, l[i - 1].y + gap);
	/* Pushed out at the top: move the stack down as far as it has to go. */
	for (size_t i = n; i-- > 0 && l[i].y > limit; limit = l[i].y - gap)
		l[i].y = limit;
	for (size_t i = 0; i < n; i++) {
		longest = MAX(longest, strlen(l[i].text));
		strbuf_adds(&doc->gp, "set label ");
		fig_quote(&doc->gp, l[i].text);
		strbuf_addf(&doc->gp, " at graph 1.02, graph %.3f left tc lt %d\n", l[i].y,
			    l[i].linetype);
	}
	strbuf_addf(&doc->gp, "set rmargin %.1f\n", (double)longest * 0.92 + 1.5);
}

void fig_log_tics(struct fig_doc *doc, const char *axis, double low, double high)
{
	static const double steps[] = {1, 2, 5};
	const char *comma = "";

	/* gnuplot labels powers of ten only, which leaves a short axis with one label or none. */
	if (log10(high / low) > 2.2)
		return;
	strbuf_addf(&doc->gp, "set %stics (", axis);
	for (int e = (int)floor(log10(low)); e <= (int)ceil(log10(high)); e++) {
		for (size_t k = 0; k < ARRAY_SIZE(steps); k++) {
			double v = steps[k] * pow(10, e);

			if (v < low || v > high)
				continue;
			strbuf_addf(&doc->gp, "%s\"%g\" %g", comma, v, v);
			comma = ", ";
		}
	}
	strbuf_adds(&doc->gp, ")\n");
}

void fig_setting_tics(struct fig_doc *doc, const struct fig_series *s, size_t n)
{
	const char *comma = "";
	double last = 0;

	strbuf_adds(&doc->gp, "set xtics (");
	for (;;) {
		double next = INFINITY;
		const char *suffix = "";
		double shown;

		for (size_t k = 0; k < n; k++)
			for (size_t i = 0; i < s[k].n; i++)
				if (s[k].point[i].x > last)
					next = fmin(next, s[k].point[i].x);
		if (!isfinite(next))
			break;
		shown = next;
		if (fmod(next, 1024) == 0) {
			shown = next / 1024;
			suffix = "Ki";
		} else if (fmod(next, 1000) == 0) {
			shown = next / 1000;
			suffix = "k";
		}
		strbuf_addf(&doc->gp, "%s\"%g%s\" %.10g", comma, shown, suffix, next);
		comma = ", ";
		last = next;
	}
	strbuf_adds(&doc->gp, ")\n");
}

void fig_linear_tics(struct fig_doc *doc, const char *axis, double max, unsigned most)
{
	double step = pow(10, floor(log10(max / most)));

	if (max / step > 4 * most)
		step *= 5;
	while (max / step > most)
		step *= 2;
	strbuf_addf(&doc->gp, "set %stics %g\n", axis, step);
}
