// SPDX-License-Identifier: MIT
/* Several values at each record on a logarithmic axis, dodged: events per packet, latency
 * percentiles. */
#include <math.h>
#include <string.h>

#include "analysis/figure.h"
#include "base/number.h"

/* Dots side by side on a logarithmic axis: several values at each record. */
struct fig_dots {
	const char *name;
	int linetype, point;
	const void *arg;
	bool (*value)(const json_t *rec, const void *arg, struct interval *out);
};

struct range {
	double low, high;
};

static void dots_block(const struct fig_set *set, struct fig_doc *doc, const struct fig_dots *d,
		       double shift, struct range *r)
{
	size_t shown = 0;
	struct interval iv;

	strbuf_addf(&doc->dat, "# %s: position value low high\n", d->name);
	for (size_t i = 0; i < set->n; i++) {
		double x = (double)i + shift, low, high;

		if (!d->value(set->rec[i], d->arg, &iv))
			continue;
		low = iv.low > 0 ? iv.low : iv.point;
		high = finite_or(iv.high, iv.point);
		/* A logarithmic axis has no zero: say it in words at the foot. */
		if (iv.point <= 0) {
			strbuf_addf(&doc->gp,
				    "set label \"0\" at %.3f, graph 0.04 center tc lt %d\n", x,
				    d->linetype);
			continue;
		}
		strbuf_addf(&doc->dat, "%.3f %.6g %.6g %.6g\n", x, iv.point, low, high);
		r->low = fmin(r->low, low);
		r->high = fmax(r->high, high);
		shown++;
	}
	if (!shown)
		strbuf_adds(&doc->dat, "NaN NaN NaN NaN\n");
	strbuf_adds(&doc->dat, "\n\n");
}

static bool in_any(const struct fig_set *set, const struct fig_dots *d)
{
	struct interval iv;

	for (size_t i = 0; i < set->n; i++)
		if (d->value(set->rec[i], d->arg, &iv))
			return true;
	return false;
}

/* The key above the plot in one row, or in two columns where that is too long. */
static const char *key_columns(const struct fig_doc *doc, const struct fig_dots *d, size_t n)
{
	double row_in = 0.4;

	for (size_t k = 0; k < n; k++)
		row_in += 0.35 + 0.05 * (double)strlen(d[k].name);
	return text_if(row_in > doc->width_in, " maxcols 2");
}

static void dots_axes(const struct fig_set *set, struct fig_doc *doc, const char *key,
		      const struct range *r, const char *ylabel)
{

	fig_category_axis(set, doc);
	fig_log_tics(doc, "y", r->low / 2, r->high * 2);
	strbuf_addf(
		&doc->gp,
		"set ylabel \"%s\"\nset logscale y 10\nset format y \"%%g\"\nset yrange [%.3g:%.3g]\n"
		"set key outside top center horizontal samplen 0.8%s\n",
		ylabel, r->low / 2, r->high * 2, key);
	for (size_t i = 1; i < set->n; i++)
		strbuf_addf(
			&doc->gp,
			"set arrow from %.1f, graph 0 to %.1f, graph 1 nohead lc rgb \"#D8D8D8\" "
			"lw 0.4 back\n",
			(double)i - 0.5, (double)i - 0.5);
}

static int fig_dots_draw(const struct fig_set *set, struct fig_doc *doc, const struct fig_dots *d,
		  size_t n, const char *ylabel)
{
	struct range r = {INFINITY, 0};
	const char *comma = "";

	for (size_t k = 0; k < n; k++)
		dots_block(set, doc, &d[k], 0.18 * ((double)k - (double)(n - 1) / 2), &r);
	if (r.high <= 0)
		return fig_missing(doc, "none of the records has one of its values above zero");
	dots_axes(set, doc, key_columns(doc, d, n), &r, ylabel);
	strbuf_adds(&doc->gp, "plot ");
	for (size_t k = 0; k < n; k++) {
		if (!in_any(set, &d[k]))
			continue;
		strbuf_addf(
			&doc->gp,
			"%sdat index %zu using 1:3:(0):($4-$3) @whisker lt %d notitle, \\\n"
			"     dat index %zu using 1:2 with points lt %d pt %d ps 0.6*mark title \"%s\"",
			comma, k, d[k].linetype, k, d[k].linetype, d[k].point, d[k].name);
		comma = ", \\\n     ";
	}
	strbuf_adds(&doc->gp, "\n");
	strbuf_adds(&doc->caption,
		    "Points: medians on a logarithmic axis; whiskers: 95 % intervals");
	return 0;
}

static bool metric_value(const json_t *rec, const void *arg, struct interval *out)
{
	return record_summary(rec, arg, out);
}

static const struct fig_dots events[] = {
	{"exits", 5, 7, "exits_per_packet", metric_value},
	{"userspace exits", 2, 5, "userspace_exits_per_packet", metric_value},
	{"kicks", 1, 9, "kicks_per_packet", metric_value},
	{"interrupts", 3, 13, "interrupts_per_packet", metric_value},
};

bool fig_has_events(const json_t *rec)
{
	struct interval iv;

	for (size_t e = 0; e < ARRAY_SIZE(events); e++)
		if (record_summary(rec, events[e].arg, &iv) && iv.point > 0)
			return true;
	return false;
}

int fig_packet_events(const struct fig_set *set, struct fig_doc *doc)
{
	int err = fig_dots_draw(set, doc, events, ARRAY_SIZE(events), "Events per packet");

	if (!err)
		strbuf_adds(&doc->caption, "; a 0 at the foot: no such event in the window.");
	return err;
}

static bool quantile_value(const json_t *rec, const void *arg, struct interval *out)
{
	if (!fig_latency_quantile(rec, *(const double *)arg, out))
		return false;
	out->point /= 1e3;
	out->low /= 1e3;
	out->high /= 1e3;
	return true;
}

int fig_latency_percentiles(const struct fig_set *set, struct fig_doc *doc)
{
	static const double q[] = {0.5, 0.9, 0.99, 0.999};
	static const struct fig_dots dots[] = {
		{"50 %", 1, 7, &q[0], quantile_value},
		{"90 %", 3, 9, &q[1], quantile_value},
		{"99 %", 2, 5, &q[2], quantile_value},
		{"99.9 %", 5, 13, &q[3], quantile_value},
	};
	int err = fig_dots_draw(set, doc, dots, ARRAY_SIZE(dots), "Latency (us)");

	if (err)
		return fig_missing(doc, "no record has a latency histogram");
	strbuf_adds(&doc->caption, " over boots.");
	return 0;
}
