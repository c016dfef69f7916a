// SPDX-License-Identifier: MIT
/* The operations of kernel-ops in each row of the evolution: a heat map of their cost, bare metal is 1. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/evolution.h"
#include "analysis/figure.h"

#define DARK 60.0 /* from here on the number is written in white */

bool fig_has_operations(const json_t *rec)
{
	struct interval iv;

	return evolution_has_times(rec) && record_summary(rec, evolution_metric(0), &iv);
}

static char *column_label(const struct fig_set *set, size_t i)
{
	const struct evolution_step *step = evolution_step_of(set->rec[i]);

	if (step)
		return xstrdup(step->name);
	return fig_label(set, i, NULL);
}

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

/* Of record i. A field without a number stays white. */
static size_t add_column(const struct fig_set *set, size_t i, struct fig_doc *doc)
{
	const json_t *base = base_of(set, i);
	size_t shown = 0, at = 0;
	const char *metric;

	for (; (metric = evolution_metric(at)); at++) {
		double ratio = evolution_ratio(set->rec[i], base, metric);
		char text[16];

		if (!(ratio > 0))
			continue;
		ratio_text(ratio, text, sizeof(text));
		strbuf_addf(&doc->dat, "%zu %zu %.6g %s %d\n", i, at, ratio, text, ratio >= DARK);
		shown++;
	}
	return shown;
}

/* Columns are records, rows are operations from the top. */
static size_t operation_axes(const struct fig_set *set, struct fig_doc *doc)
{
	const char *metric, *comma = "";
	size_t n = 0;

	strbuf_adds(&doc->gp, "set xtics (");
	for (size_t i = 0; i < set->n; i++, comma = ", ") {
		char *label = column_label(set, i);

		strbuf_adds(&doc->gp, comma);
		fig_quote_tic(&doc->gp, label);
		strbuf_addf(&doc->gp, " %zu", i);
		free(label);
	}
	strbuf_adds(&doc->gp, ") scale 0 rotate by 40 right\nset ytics (");
	for (comma = ""; (metric = evolution_metric(n)); n++, comma = ", ") {
		char *label = xstrdup(evolution_operation(metric));

		for (char *c = label; (c = strchr(c, '_'));)
			*c = ' ';
		strbuf_adds(&doc->gp, comma);
		fig_quote_tic(&doc->gp, label);
		strbuf_addf(&doc->gp, " %zu", n);
		free(label);
	}
	strbuf_addf(&doc->gp,
		    ") scale 0\nset xrange [-0.5:%zu.5]\nset yrange [%zu.5:-0.5]\n"
		    "unset grid\nunset key\nset border 0\n",
		    set->n - 1, n - 1);
	return n;
}

/* Blue from pale to dark: readable without colour too. */
static const char colours[] =
	"set logscale cb 10\nset cbrange [1:1000]\nset format cb \"%g\"\n"
	"set palette defined (0 \"#F7FBFF\", 0.35 \"#9ECAE1\", 0.65 \"#4292C6\", 1 \"#08306B\")\n"
	"plot dat using 1:2:($1-0.48):($1+0.48):($2-0.46):($2+0.46):3 with boxxyerror fillstyle solid 1 noborder "
	"lc palette, \\\n"
	"     dat using 1:($5 == 0 ? $2 : NaN):4 with labels tc rgb \"#000000\", \\\n"
	"     dat using 1:($5 == 1 ? $2 : NaN):4 with labels tc rgb \"#FFFFFF\"\n";

int fig_operations(const struct fig_set *set, struct fig_doc *doc)
{
	size_t shown = 0;

	strbuf_adds(&doc->dat, "# record operation ratio text dark\n");
	for (size_t i = 0; i < set->n; i++)
		shown += add_column(set, i, doc);
	if (!shown)
		return fig_missing(doc, "none of the records has an operation's time (kernel-ops)");
	doc->height_in = 1.1 + 0.17 * (double)operation_axes(set, doc);
	if (doc->width_in < FIG_WIDE_IN)
		strbuf_adds(&doc->gp, "unset colorbox\n");
	strbuf_adds(&doc->gp, colours);
	strbuf_adds(&doc->caption,
		    "Cost of each operation, relative to the bare metal of the same machine, or its first record (logarithmic colours)");
	return 0;
}
