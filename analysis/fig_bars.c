// SPDX-License-Identifier: MIT
/* Figures with one place per record on the x axis and one value, or a few, at each. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/figure.h"
#include "base/number.h"

#define SEED 1 /* of the bootstrap; the same records give the same figure */

struct axis {
	const char *metric, *what, *unit;
};

static const struct axis throughput_axes[] = {
	{"throughput_bps", "Throughput", "b/s"},
	{"iops", "Requests per second", "/s"},
	{"packets_per_s", "Packets per second", "/s"},
	{"transactions_per_s", "Transactions per second", "/s"},
};

/* The bare-metal record when there is one, else the first. */
static size_t baseline(const struct fig_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		if (!strcmp(record_of(set->rec[i]).mode, "host"))
			return i;
	return 0;
}

/* Medians in index 0, single samples in index 1; returns the largest value drawn. */
static double bars_data(const struct fig_set *set, struct fig_doc *doc, const char *metric,
			size_t base)
{
	struct strbuf points = STRBUF_INIT, *dat = &doc->dat;
	size_t n_ref;
	double *ref = record_values(set->rec[base], metric, &n_ref), max = 0;

	strbuf_addf(
		dat,
		"# %s of each record. Interval: 95 %% interval of the median; ratio to record %zu.\n"
		"# label median low high n ratio ratio_low ratio_high linetype\n",
		metric, base);
	for (size_t i = 0; i < set->n; i++) {
		struct interval iv, ratio;
		char *label = fig_label(set, i, NULL);
		size_t n;
		double *x = record_values(set->rec[i], metric, &n);

		record_summary(set->rec[i], metric, &iv);
		ratio = stats_ratio_ci(ref, n_ref, x, n, SEED);
		fig_quote(dat, label);
		fig_num(dat, iv.point);
		fig_num(dat, iv.low);
		fig_num(dat, iv.high);
		strbuf_addf(dat, " %zu", iv.n);
		fig_num(dat, ratio.point);
		fig_num(dat, ratio.low);
		fig_num(dat, ratio.high);
		strbuf_addf(dat, " %d\n", fig_linetype(set, i));
		max = fmax(max, fmax(iv.point, finite_or(iv.high, 0)));
		/* Side by side, so that equal samples stay visible. */
		for (size_t k = 0; k < n; k++) {
			strbuf_addf(&points, "%.3f",
				    (double)i + 0.44 * (((double)k + 0.5) / (double)n - 0.5));
			fig_num(&points, x[k]);
			strbuf_addc(&points, '\n');
			max = fmax(max, x[k]);
		}
		free(label);
		free(x);
	}
	strbuf_addf(dat, "\n\n# position, one sample (one boot)\n%s", strbuf_str(&points));
	strbuf_free(&points);
	free(ref);
	return max;
}

/* above: what is written over each bar, upright where bars are narrow. */
static void bars_plot(const struct fig_set *set, struct fig_doc *doc, double max, double scale,
		      const char *above)
{
	const char *how = " boxed";
	double at = 1.10, top = 1.18;

	if (doc->width_in / (double)set->n < 0.52) {
		how = " rotate by 90 left";
		at = 1.08;
		top = 1.38;
	}
	strbuf_addf(&doc->gp, "unit = %g\nset yrange [0:%.4g]\n", scale, max / scale * top);
	strbuf_addf(
		&doc->gp,
		"plot dat index 0 using 0:($2/unit):9 with boxes lc variable notitle, \\\n"
		"     dat index 1 using 1:($2/unit) with points pt 7 ps 0.24*mark lc rgb "
		"\"#FFFFFF\" notitle, \\\n"
		"     dat index 1 using 1:($2/unit) with points pt 6 ps 0.22*mark lw 0.5 lc rgb "
		"\"#000000\" notitle, \\\n"
		"     dat index 0 using 0:($3/unit):(0):(($4-$3)/unit) @whisker lc rgb \"#000000\" "
		"notitle, \\\n"
		"     dat index 0 using 0:(%.4g):(%s) with labels%s font \",6\" notitle\n",
		max / scale * at, above, how);
}

bool fig_has_throughput(const json_t *rec)
{
	struct interval iv;

	for (size_t i = 0; i < ARRAY_SIZE(throughput_axes); i++)
		if (record_summary(rec, throughput_axes[i].metric, &iv))
			return true;
	return false;
}

int fig_throughput(const struct fig_set *set, struct fig_doc *doc)
{
	const char *names[ARRAY_SIZE(throughput_axes) + 1] = {NULL}, *metric, *prefix;
	const struct axis *axis = throughput_axes;
	size_t base = baseline(set);
	double max, scale;
	char *label;

	for (size_t i = 0; i < ARRAY_SIZE(throughput_axes); i++)
		names[i] = throughput_axes[i].metric;
	metric = fig_common_metric(set, names);
	if (!metric)
		return fig_missing(doc, "the records have no throughput metric in common");
	while (strcmp(axis->metric, metric))
		axis++;
	fig_category_axis(set, doc);
	max = bars_data(set, doc, metric, base);
	scale = fig_si(max, &prefix);
	strbuf_addf(&doc->gp, "set ylabel \"%s (%s%s)\"\n", axis->what, prefix, axis->unit);
	bars_plot(set, doc, max, scale, "sprintf($6 < 99.5 ? \"%.2g×\" : \"%.0f×\", $6)");
	label = fig_label(set, base, NULL);
	strbuf_addf(&doc->caption,
		    "Bars: median of %s; whiskers: its 95 %% interval; circles: single boots; "
		    "above: ratio of medians to %s.",
		    metric, label);
	free(label);
	return 0;
}

bool fig_has_batch(const json_t *rec)
{
	struct interval iv;

	return record_summary(rec, "batch_packets", &iv);
}

int fig_batch(const struct fig_set *set, struct fig_doc *doc)
{
	static const char *const names[] = {"batch_packets", NULL};
	const char *metric = fig_common_metric(set, names);

	if (!metric)
		return fig_missing(doc, "no record has batch_packets");
	fig_category_axis(set, doc);
	strbuf_adds(&doc->gp, "set ylabel \"Packets per service run\"\n");
	bars_plot(set, doc, bars_data(set, doc, metric, baseline(set)), 1, "sprintf(\"%.3g\", $2)");
	strbuf_adds(
		&doc->caption,
		"Bars: median of batch_packets, the packets that one service run of a queue handles; "
		"whiskers: its 95 % interval; circles: single boots.");
	return 0;
}
