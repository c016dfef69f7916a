// SPDX-License-Identifier: MIT
/* Figures over a setting: message size, offered load, number of VMs and of queues, depth. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "analysis/figure.h"
#include "base/number.h"

struct panel {
	const char *ylabel; /* with %s for what unit says */
	bool (*value)(const json_t *rec, struct interval *out);
	double (*unit)(double high, const char **name);
	bool logy;
	double height_in;
	bool last; /* has the x axis's labels */
};

struct bounds {
	double low, high;
};

static bool throughput(const json_t *rec, struct interval *out)
{
	return record_summary(rec, "throughput_bps", out);
}

static bool iops(const json_t *rec, struct interval *out)
{
	return record_summary(rec, "iops", out);
}

static bool exits(const json_t *rec, struct interval *out)
{
	return record_summary(rec, "exits_per_s", out);
}

static bool p99_us(const json_t *rec, struct interval *out)
{
	if (!fig_latency_quantile(rec, 0.99, out))
		return false;
	out->point /= 1e3;
	out->low /= 1e3;
	out->high /= 1e3;
	return true;
}

static double time_unit(double high_us, const char **name)
{
	*name = "us";
	if (high_us < 1e4)
		return 1;
	*name = "ms";
	return 1e3;
}

static struct bounds lines_data(struct fig_doc *doc, const struct fig_series *s, size_t n,
				const struct panel *p)
{
	struct bounds b = {INFINITY, 0};
	struct interval iv;

	for (size_t k = 0; k < n; k++) {
		strbuf_addf(&doc->dat, "# %s: x value low high n\n", s[k].label);
		for (size_t i = 0; i < s[k].n; i++) {
			if (!p->value(s[k].point[i].rec, &iv) || (p->logy && iv.point <= 0)) {
				strbuf_addf(&doc->dat, "%.10g NaN NaN NaN 0\n", s[k].point[i].x);
				continue;
			}
			strbuf_addf(&doc->dat, "%.10g", s[k].point[i].x);
			fig_num(&doc->dat, iv.point);
			fig_num(&doc->dat, iv.low);
			fig_num(&doc->dat, iv.high);
			strbuf_addf(&doc->dat, " %zu\n", iv.n);
			b.low = fmin(b.low, iv.low > 0 ? iv.low : iv.point);
			b.high = fmax(b.high, finite_or(iv.high, iv.point));
		}
		strbuf_adds(&doc->dat, "\n\n");
	}
	return b;
}

static double place(const struct panel *p, const struct bounds *axis, double v)
{
	if (p->logy)
		return log(v / axis->low) / log(axis->high / axis->low);
	return v / axis->high;
}

static void lines_labels(struct fig_doc *doc, const struct fig_series *s, size_t n,
			 const struct panel *p, const struct bounds *axis)
{
	struct fig_end_label *l = xcalloc(n, sizeof(*l));
	size_t used = 0;
	struct interval iv;

	for (size_t k = 0; k < n; k++) {
		if (!p->value(s[k].point[s[k].n - 1].rec, &iv) || (p->logy && iv.point <= 0))
			continue;
		l[used++] =
			(struct fig_end_label){s[k].label, s[k].linetype, place(p, axis, iv.point)};
	}
	fig_end_labels(doc, l, used, p->height_in * 0.7);
	free(l);
}

static void lines_panel(struct fig_doc *doc, const struct fig_series *s, size_t n,
			const struct panel *p, const struct bounds *b, size_t first_index,
			const char *extra)
{
	const char *name, *scale = "unset logscale y";
	double unit = p->unit(b->high, &name);
	struct bounds axis = {0, b->high * 1.12};

	if (p->logy) {
		axis = (struct bounds){b->low / 1.6, b->high * 1.6};
		scale = "set logscale y 10";
	}
	strbuf_adds(&doc->gp, "unset label\nset ylabel \"");
	strbuf_addf(&doc->gp, p->ylabel, name);
	strbuf_addf(&doc->gp, "\"\nunit = %g\n%s\nset yrange [%.4g:%.4g]\nset format y \"%%g\"\n",
		    unit, scale, axis.low / unit, axis.high / unit);
	strbuf_adds(&doc->gp, "set ytics autofreq\n");
	if (p->logy)
		fig_log_tics(doc, "y", axis.low / unit, axis.high / unit);
	lines_labels(doc, s, n, p, &axis);
	strbuf_adds(&doc->gp, "plot ");
	for (size_t k = 0; k < n; k++)
		strbuf_addf(
			&doc->gp,
			"%sdat index %zu using 1:($3/unit):(0):(($4-$3)/unit) @whisker lt %d notitle, \\\n"
			"     dat index %zu using 1:($2/unit) with linespoints lt %d notitle",
			text_if(k, ", \\\n     "), first_index + k, s[k].linetype, first_index + k,
			s[k].linetype);
	strbuf_addf(&doc->gp, "%s\n", extra);
}

int fig_message_size(const struct fig_set *set, struct fig_doc *doc)
{
	struct panel top = {"Throughput (%sb/s)", throughput, fig_si, true, doc->height_in / 2, false};
	struct panel foot = {"Exits (%s/s)", exits, fig_si, true, doc->height_in / 2, true};
	struct fig_series *s;
	size_t n = fig_series_build(set, "msg_size", &s);
	struct bounds b[2];

	if (!n)
		return fig_missing(
			doc, "it needs two or more records of one mode that differ in msg_size");
	b[0] = lines_data(doc, s, n, &top);
	b[1] = lines_data(doc, s, n, &foot);
	if (b[0].high <= 0 || b[1].high <= 0) {
		fig_series_free(s, n);
		return fig_missing(doc, "the records lack throughput_bps or exits_per_s");
	}
	fig_setting_tics(doc, s, n);
	strbuf_adds(&doc->gp,
		    "set logscale x 2\nset offsets graph 0.03, graph 0.03\nset lmargin 8\n"
		    "set multiplot layout 2,1\n");
	lines_panel(doc, s, n, &top, &b[0], 0, "");
	strbuf_adds(&doc->gp, "set xlabel \"Message size (bytes)\"\n");
	lines_panel(doc, s, n, &foot, &b[1], n, "");
	strbuf_adds(&doc->gp, "unset multiplot\n");
	strbuf_adds(
		&doc->caption,
		"Points: medians of throughput_bps (top) and exits_per_s (bottom), logarithmic axes; "
		"whiskers: 95 % intervals.");
	fig_series_free(s, n);
	return 0;
}

/* One panel over a setting; ideal adds the straight line through the first point of each series. */
static int one_panel(const struct fig_set *set, struct fig_doc *doc, const char *setting,
		     const struct panel *p, const char *lacking)
{
	struct fig_series *s;
	size_t n = fig_series_build(set, setting, &s);
	struct bounds b;

	if (!n)
		return fig_missing(
			doc, "it needs two or more records of one mode that differ in %s", setting);
	b = lines_data(doc, s, n, p);
	if (b.high > 0) {
		fig_setting_tics(doc, s, n);
		strbuf_adds(&doc->gp, "set offsets graph 0.03, graph 0.03\n");
		lines_panel(doc, s, n, p, &b, 0, "");
	}
	fig_series_free(s, n);
	if (b.high > 0)
		return 0;
	return fig_missing(doc, "%s", lacking);
}

int fig_load(const struct fig_set *set, struct fig_doc *doc)
{
	struct panel p = {
		"99th percentile of latency (%s)", p99_us, time_unit, true, doc->height_in, true};

	strbuf_adds(&doc->gp, "set xlabel \"Offered load (1/s)\"\nset logscale x 2\n");
	strbuf_adds(
		&doc->caption,
		"Points: median over boots of the 99th percentile, measured from the intended start; "
		"whiskers: 95 % intervals.");
	return one_panel(set, doc, "rate", &p, "the records lack a latency histogram");
}

static int scaling(const struct fig_set *set, struct fig_doc *doc, const char *setting,
		   const char *xlabel)
{
	struct panel p = {"Throughput (%sb/s)", throughput, fig_si, false, doc->height_in, true};

	strbuf_addf(&doc->gp, "set xlabel \"%s\"\nset logscale x 2\n", xlabel);
	strbuf_adds(&doc->caption,
		    "Points: medians of the sum of throughput_bps; whiskers: 95 % intervals.");
	return one_panel(set, doc, setting, &p, "the records lack throughput_bps");
}

int fig_scaling_vms(const struct fig_set *set, struct fig_doc *doc)
{
	return scaling(set, doc, "vms", "Virtual machines");
}

int fig_scaling_queues(const struct fig_set *set, struct fig_doc *doc)
{
	return scaling(set, doc, "queues", "Queue pairs");
}

int fig_depth(const struct fig_set *set, struct fig_doc *doc)
{
	struct panel p = {"Requests (%s/s)", iops, fig_si, true, doc->height_in, true};

	strbuf_adds(&doc->gp, "set xlabel \"Requests in flight\"\nset logscale x 2\n");
	strbuf_adds(&doc->caption, "Points: medians of iops, logarithmic axes; whiskers: 95 % intervals.");
	return one_panel(set, doc, "depth", &p, "the records lack iops");
}
