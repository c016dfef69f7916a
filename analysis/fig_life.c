// SPDX-License-Identifier: MIT
/* The life of one packet: time goes down, a column for each whose time it is, a box for each stay there. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/figure.h"
#include "analysis/life.h"
#include "base/table.h"

#define LABEL_IN  0.115 /* from one label to the next */
#define LANE_IN	  0.215
#define CHAR_IN	  0.0445 /* a letter of the style's size, on average */
#define HEAD_IN	  0.30
#define LABELS	  64

/* Steps in a row of one thread in one lane; text is that of the longest. */
struct stay {
	size_t lane, number; /* number: of its first step */
	double from_ns, to_ns, longest_ns;
	bool waits;
	const char *who, *what;
	double label_y; /* in inches below the top; NAN: without one */
};

static bool stay_goes_on(const struct stay *s, const struct record_step *step)
{
	return s->lane == life_lane(step->lane) && s->waits == step->waits && !strcmp(s->who, step->who);
}

static size_t stays_of(const struct record_life *life, struct stay *v)
{
	struct record_step step;
	size_t n = 0;

	for (size_t i = 0; record_step(life->steps, i, &step); i++) {
		if (!n || !stay_goes_on(&v[n - 1], &step))
			v[n++] = (struct stay){.lane = life_lane(step.lane), .number = i + 1,
					       .from_ns = step.at_ns, .waits = step.waits, .who = step.who,
					       .longest_ns = -1, .label_y = NAN};
		v[n - 1].to_ns = step.at_ns + step.ns;
		if (step.ns <= v[n - 1].longest_ns)
			continue;
		v[n - 1].longest_ns = step.ns;
		v[n - 1].what = step.what;
	}
	return n;
}

/* The shortest stays go without a label until there is room for the others. */
static double shortest_labelled(const struct stay *v, size_t n, size_t room)
{
	double least = 0;

	for (;;) {
		double next = INFINITY;
		size_t longer = 0;

		for (size_t i = 0; i < n; i++) {
			double ns = v[i].to_ns - v[i].from_ns;

			if (ns <= least)
				continue;
			longer++;
			next = fmin(next, ns);
		}
		if (longer <= room)
			return least;
		least = next;
	}
}

/* Each beside its stay, and below the one before: then from the end upwards until all are inside. */
static void labels_spread(struct stay *v, size_t n, double ns_per_in, double height_in)
{
	double above = -INFINITY, below = height_in + LABEL_IN / 2;

	for (size_t i = 0; i < n; i++) {
		if (isnan(v[i].label_y))
			continue;
		v[i].label_y = fmax((v[i].from_ns + v[i].to_ns) / 2 / ns_per_in, above + LABEL_IN);
		above = v[i].label_y;
	}
	for (size_t i = n; i-- > 0;) {
		if (isnan(v[i].label_y))
			continue;
		v[i].label_y = fmin(v[i].label_y, below - LABEL_IN);
		below = v[i].label_y;
	}
}

/* The columns in use, 1, 2, ... from the left; 0: not used. */
static size_t columns_of(const struct stay *v, size_t n, size_t column[LIFE_LANES])
{
	size_t used = 0;

	memset(column, 0, LIFE_LANES * sizeof(*column));
	for (size_t i = 0; i < n; i++)
		column[v[i].lane] = 1;
	for (size_t i = 0; i < LIFE_LANES; i++)
		if (column[i])
			column[i] = ++used;
	return used;
}

static void add_columns(struct fig_doc *doc, const size_t column[LIFE_LANES], double height_in)
{
	for (size_t i = 0; i < LIFE_LANES; i++) {
		if (!column[i])
			continue;
		/* Two rows of titles, for one is too narrow. */
		strbuf_addf(&doc->gp, "set label \"%s\" at %zu,%.3f center\n", life_lane_titles[i], column[i],
			    -LABEL_IN * (column[i] % 2 ? 0.8 : 1.7));
		strbuf_addf(&doc->gp,
			    "set arrow from %zu,0 to %zu,%.3f nohead lc rgb \"#B0B0B0\" lw 0.5 dt (2,2) back\n",
			    column[i], column[i], height_in);
	}
}

static void add_label(struct fig_doc *doc, const struct stay *s, double x, double x_from, double y,
		      size_t room)
{
	char *text = xasprintf("%s  %s", fmt_ns(s->to_ns - s->from_ns), s->what);

	if (strlen(text) > room)
		text[room] = '\0';
	strbuf_addf(&doc->gp, "set arrow from %.2f,%.3f to %.2f,%.3f nohead lc rgb \"#C8C8C8\" lw 0.4 dt 1 back\n",
		    x_from, y, x - 0.06, s->label_y);
	strbuf_adds(&doc->gp, "set label ");
	fig_quote(&doc->gp, text);
	strbuf_addf(&doc->gp, " at %.2f,%.3f left\n", x, s->label_y);
	free(text);
}

/* x y x-low x-high y-low y-high waits, in columns and inches: boxes as gnuplot takes them. */
static void add_stay(struct fig_doc *doc, const struct stay *s, size_t x, double from_in, double to_in)
{
	strbuf_addf(&doc->dat, "%zu %.4f %.2f %.2f %.4f %.4f %d %.0f %.0f ", x, (from_in + to_in) / 2,
		    (double)x - 0.36, (double)x + 0.36, from_in, to_in, s->waits, s->from_ns, s->to_ns);
	fig_quote(&doc->dat, s->what);
	strbuf_addc(&doc->dat, '\n');
}

static void add_time_axis(struct fig_doc *doc, double total_ns, double ns_per_in, double height_in)
{
	double step = pow(10, floor(log10(total_ns / 4)));

	while (total_ns / step > 12)
		step *= 2;
	strbuf_adds(&doc->gp, "set ytics (");
	for (double at = 0; at <= total_ns; at += step)
		strbuf_addf(&doc->gp, "%s\"%g\" %.4f", text_if(at > 0, ", "), at / 1e3, at / ns_per_in);
	strbuf_addf(&doc->gp, ")\nset ylabel \"Time since the doorbell (us)\"\nset yrange [%.3f:%.3f]\n", height_in,
		    -2.2 * LABEL_IN);
}

static void draw_stays(struct fig_doc *doc, struct stay *v, size_t n, double total_ns)
{
	size_t column[LIFE_LANES], used = columns_of(v, n, column), room;
	double height_in = doc->height_in - HEAD_IN, ns_per_in = total_ns / height_in;
	double label_x = (double)used + 0.7, room_in = doc->width_in - 0.5 - LANE_IN * ((double)used + 0.3);
	double least = shortest_labelled(v, n, MIN((size_t)(height_in / LABEL_IN), LABELS));

	room = (size_t)fmax(room_in / CHAR_IN, 8);
	for (size_t i = 0; i < n; i++)
		if (v[i].to_ns - v[i].from_ns > least)
			v[i].label_y = 0;
	labels_spread(v, n, ns_per_in, height_in);
	add_time_axis(doc, total_ns, ns_per_in, height_in);
	add_columns(doc, column, height_in);
	for (size_t i = 0; i < n; i++) {
		size_t x = column[v[i].lane];
		double from_in = v[i].from_ns / ns_per_in, to_in = v[i].to_ns / ns_per_in;

		add_stay(doc, &v[i], x, from_in, to_in);
		if (i && column[v[i - 1].lane] != x)
			strbuf_addf(
				&doc->gp,
				"set arrow from %zu,%.4f to %zu,%.4f head size 0.12,20 filled lw 0.7 dt 1 lc rgb \"#303030\" front\n",
				column[v[i - 1].lane], from_in, x, from_in);
		if (!isnan(v[i].label_y))
			add_label(doc, &v[i], label_x, (double)x + 0.36, (from_in + to_in) / 2, room);
	}
	strbuf_addf(&doc->gp, "set xrange [0.4:%.3f]\n", 0.4 + (doc->width_in - 0.55) / LANE_IN);
}

bool fig_has_life(const json_t *rec)
{
	struct record_sample s;
	struct record_life life;
	const char *why;

	return life_find(rec, &s, &life, &why);
}

int fig_life(const struct fig_set *set, struct fig_doc *doc)
{
	struct record_sample s;
	struct record_life life;
	const char *why;
	struct stay *v;
	char *cell;
	size_t n;

	if (!life_find(set->rec[0], &s, &life, &why))
		return fig_missing(doc, "%s", why);
	v = xcalloc(json_array_size(life.steps), sizeof(*v));
	n = stays_of(&life, v);
	doc->height_in = MAX(doc->height_in, HEAD_IN + LABEL_IN * (double)MIN(n, LABELS) * 0.75);
	strbuf_adds(&doc->dat, "# column y x-low x-high y-low y-high (inches) waits from_ns to_ns longest-step\n");
	strbuf_adds(&doc->gp, "unset key\nset border 0\nunset xtics\nset grid noxtics noytics\nset lmargin 7\nset rmargin 0\n"
			      "set tmargin 0.3\nset bmargin 0.3\n");
	draw_stays(doc, v, n, v[n - 1].to_ns);
	strbuf_adds(&doc->gp, "plot dat using ($7==0?$1:NaN):2:3:4:5:6 with boxxyerror @fill1 lw 0.4, \\\n"
			      "     dat using ($7==1?$1:NaN):2:3:4:5:6 with boxxyerror @fill5 lw 0.4\n");
	cell = life_cell(set->rec[0]);
	strbuf_addf(&doc->caption,
		    "One packet of %s, from the guest's doorbell to the next one: the median of %lld trips. Pale: the packet "
		    "waits, and this is what its CPU does meanwhile. The text is that of the longest step.",
		    cell, (long long)life.trips);
	free(cell);
	free(v);
	return 0;
}
