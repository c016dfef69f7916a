// SPDX-License-Identifier: MIT
/* Exits by reason: how many a second, what one costs, and where that time goes. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "analysis/figure.h"
#include "analysis/view.h"
#include "base/hist_json.h"
#include "base/table.h"

#define PARTS 8 /* fills of style.gp */

/* One reason over all its keys. */
struct reason {
	char name[48];
	double count, total_ns, fast_ns, slow_ns, user_ns;
	double p50_ns, p99_ns; /* over all keys with histograms, else of the most frequent key */
	double key_count;
	struct hist *hist; /* NULL without histograms */
};

struct reasons {
	struct reason *list;
	size_t n;
};

static struct reason *reason_get(struct reasons *all, const char *name)
{
	struct reason *r;

	for (size_t i = 0; i < all->n; i++)
		if (!strcmp(all->list[i].name, name))
			return &all->list[i];
	all->list = xrealloc(all->list, (all->n + 1) * sizeof(*all->list));
	r = &all->list[all->n++];
	*r = (struct reason){.count = 0};
	snprintf(r->name, sizeof(r->name), "%s", name);
	return r;
}

static void reason_hist(struct reason *r, const json_t *j)
{
	struct hist *h = xcalloc(1, sizeof(*h));

	if (!r->hist) {
		r->hist = xcalloc(1, sizeof(*r->hist));
		hist_init(r->hist);
	}
	if (!hist_from_json(j, h))
		hist_merge(r->hist, h);
	r->p50_ns = (double)hist_quantile(r->hist, 0.5);
	r->p99_ns = (double)hist_quantile(r->hist, 0.99);
	free(h);
}

static void reasons_free(struct reasons *all)
{
	for (size_t i = 0; i < all->n; i++)
		free(all->list[i].hist);
	free(all->list);
}

/* Add the record's exits to the list, keys folded into their reason. */
static void reasons_add(const json_t *rec, struct reasons *all)
{
	const json_t *e;
	size_t i;

	json_array_foreach (json_object_get(rec, "exits"), i, e) {
		struct reason *r = reason_get(all, view_str(e, "reason"));
		double count = view_num(e, "count");

		r->count += count;
		r->total_ns += view_num(e, "total_ns");
		r->fast_ns += view_num(e, "kvm_fast_ns");
		r->slow_ns += view_num(e, "kvm_ns");
		r->user_ns += view_num(e, "user_ns");
		if (json_object_get(e, "hist"))
			reason_hist(r, json_object_get(e, "hist"));
		else if (count > r->key_count) {
			r->key_count = count;
			r->p50_ns = view_num(e, "p50_ns");
			r->p99_ns = view_num(e, "p99_ns");
		}
	}
}

static int by_count(const void *a, const void *b)
{
	const struct reason *p = a, *q = b;

	if (p->count != q->count)
		return p->count < q->count ? 1 : -1;
	return strcmp(p->name, q->name);
}

static int by_total(const void *a, const void *b)
{
	const struct reason *p = a, *q = b;

	if (p->total_ns != q->total_ns)
		return p->total_ns < q->total_ns ? 1 : -1;
	return strcmp(p->name, q->name);
}

static double count_of(const json_t *rec, const char *name)
{
	const json_t *e;
	double sum = 0;
	size_t i;

	json_array_foreach (json_object_get(rec, "exits"), i, e)
		if (!strcmp(view_str(e, "reason"), name))
			sum += view_num(e, "count");
	return sum;
}

static double count_all(const json_t *rec)
{
	const json_t *e;
	double sum = 0;
	size_t i;

	json_array_foreach (json_object_get(rec, "exits"), i, e)
		sum += view_num(e, "count");
	return sum;
}

/* Seconds of the mean window, from the windows themselves; 0 when unknown. */
static double window_s(const json_t *rec)
{
	const json_t *s;
	double sum = 0;
	size_t i, n = 0;

	json_array_foreach (json_object_get(rec, "samples"), i, s) {
		if (!json_is_true(json_object_get(s, "ok")))
			continue;
		sum += view_window_ns(rec, s);
		n++;
	}
	return n ? sum / (double)n / 1e9 : 0;
}

static bool all_windows_known(const struct fig_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		if (window_s(set->rec[i]) <= 0)
			return false;
	return true;
}

/* One stacked part: x, its foot and its top at every record. foot[] grows. */
static void stack_block(struct fig_doc *doc, const char *name, const double *value, double *foot,
			size_t n)
{
	strbuf_addf(&doc->dat, "# %s: position low high\n", name);
	for (size_t i = 0; i < n; i++) {
		strbuf_addf(&doc->dat, "%zu %.6g %.6g\n", i, foot[i], foot[i] + value[i]);
		foot[i] += value[i];
	}
	strbuf_adds(&doc->dat, "\n\n");
}

static void key_at_side(struct fig_doc *doc)
{
	if (doc->width_in >= FIG_WIDE_IN)
		strbuf_adds(&doc->gp,
			    "set key outside right center vertical Left reverse invert\n");
	else
		strbuf_adds(&doc->gp,
			    "set key outside top center horizontal Left reverse maxcols 3\n");
}

static void exits_blocks(const struct fig_set *set, struct fig_doc *doc, const struct reason *list,
			 size_t n, double *foot)
{
	bool rate = all_windows_known(set);
	double *value = xcalloc(set->n, sizeof(*value)), *div = xcalloc(set->n, sizeof(*div));
	size_t parts = MIN(n, (size_t)PARTS);

	for (size_t i = 0; i < set->n; i++)
		div[i] = rate ? window_s(set->rec[i]) : 1;
	for (size_t r = 0; r < parts; r++) {
		bool rest = r == PARTS - 1 && n > PARTS;

		for (size_t i = 0; i < set->n; i++)
			value[i] = (rest ? count_all(set->rec[i]) - foot[i] * div[i]
					 : count_of(set->rec[i], list[r].name)) /
				   div[i];
		stack_block(doc, rest ? "other" : list[r].name, value, foot, set->n);
	}
	strbuf_addf(&doc->dat, "# totals: position total label\n");
	for (size_t i = 0; i < set->n; i++) {
		strbuf_addf(&doc->dat, "%zu %.6g ", i, foot[i]);
		fig_quote(&doc->dat, fmt_si(foot[i]));
		strbuf_addc(&doc->dat, '\n');
	}
	free(value);
	free(div);
}

static void exits_plot(const struct fig_set *set, struct fig_doc *doc, const struct reason *list,
		       size_t n, double max)
{
	const char *prefix;
	double scale = fig_si(max, &prefix);
	size_t parts = MIN(n, (size_t)PARTS);

	strbuf_addf(&doc->gp, "set ylabel \"Exits (%s%s)\"\nunit = %g\nset yrange [0:%.4g]\n",
		    prefix, all_windows_known(set) ? "/s" : " per window", scale,
		    max / scale * 1.12);
	key_at_side(doc);
	strbuf_adds(&doc->gp, "plot ");
	for (size_t r = 0; r < parts; r++) {
		strbuf_addf(
			&doc->gp,
			"dat index %zu using 1:2:($1-0.34):($1+0.34):($2/unit):($3/unit) with boxxyerror "
			"@fill%zu lw 0.5 dt 1 title ",
			r, r + 1);
		fig_quote(&doc->gp, r == PARTS - 1 && n > PARTS ? "other" : list[r].name);
		strbuf_adds(&doc->gp, ", \\\n     ");
	}
	strbuf_addf(&doc->gp,
		    "dat index %zu using 1:($2/unit):3 with labels offset 0,0.5 notitle\n", parts);
}

bool fig_has_exits(const json_t *rec)
{
	return json_array_size(json_object_get(rec, "exits")) > 0;
}

int fig_exits(const struct fig_set *set, struct fig_doc *doc)
{
	struct reasons all = {NULL, 0};
	double *foot = xcalloc(set->n, sizeof(*foot)), max = 0;

	for (size_t i = 0; i < set->n; i++)
		reasons_add(set->rec[i], &all);
	if (!all.n) {
		free(foot);
		return fig_missing(doc, "no record has exits by reason");
	}
	qsort(all.list, all.n, sizeof(*all.list), by_count);
	fig_category_axis(set, doc);
	exits_blocks(set, doc, all.list, all.n, foot);
	for (size_t i = 0; i < set->n; i++)
		max = fmax(max, foot[i]);
	exits_plot(set, doc, all.list, all.n, max);
	strbuf_addf(&doc->caption,
		    "Means over boots, keys folded into their reason%s; above: the sum.",
		    all.n > PARTS ? ", rare reasons summed as other" : "");
	reasons_free(&all);
	free(foot);
	return 0;
}

/* ---- one exit: rows are reasons ---- */

#define ROWS 10

/* Reasons of one record by total time, the costliest first, with times. */
static size_t costly_reasons(const struct fig_set *set, struct fig_doc *doc, struct reasons *all)
{
	size_t timed = 0;

	*all = (struct reasons){NULL, 0};
	reasons_add(set->rec[0], all);
	if (all->n)
		qsort(all->list, all->n, sizeof(*all->list), by_total);
	while (timed < all->n && all->list[timed].total_ns > 0 && all->list[timed].count > 0)
		timed++;
	if (!timed)
		fig_missing(doc, all->n ? "the record's exits carry no times"
					: "the record has no exits by reason");
	return MIN(timed, (size_t)ROWS);
}

static void row_axis(struct fig_doc *doc, const struct reason *list, size_t n)
{
	doc->height_in = MAX(0.45 * doc->height_in, 0.75 + 0.2 * (double)n);
	strbuf_addf(&doc->gp, "set yrange [%g:-0.6]\nset ytics scale 0 (", (double)n - 0.4);
	for (size_t i = 0; i < n; i++) {
		strbuf_adds(&doc->gp, i ? ", " : "");
		fig_quote_tic(&doc->gp, list[i].name);
		strbuf_addf(&doc->gp, " %zu", i);
	}
	strbuf_adds(&doc->gp, ")\nset grid noytics xtics\n");
}

int fig_exit_cost(const struct fig_set *set, struct fig_doc *doc)
{
	struct reasons all;
	size_t n = costly_reasons(set, doc, &all);
	const struct reason *list = all.list;

	if (!n) {
		reasons_free(&all);
		return -ENODATA;
	}
	row_axis(doc, list, n);
	strbuf_adds(
		&doc->dat,
		"# reason mean_us p50_us p99_us count_per_sample; percentiles over all keys where histograms were kept, else of the most frequent key\n");
	for (size_t i = 0; i < n; i++) {
		fig_quote(&doc->dat, list[i].name);
		strbuf_addf(&doc->dat, " %.6g %.6g %.6g %.6g\n",
			    list[i].total_ns / list[i].count / 1e3, list[i].p50_ns / 1e3,
			    list[i].p99_ns / 1e3, list[i].count);
	}
	strbuf_adds(
		&doc->gp,
		"set rmargin 3\nset autoscale xfix\nset offsets graph 0.04, graph 0.04, 0, 0\nset logscale x 10\nset format x \"%g\"\nset xlabel \"Handling time (us)\"\n"
		"set key outside top center horizontal\n"
		"plot dat using 3:0:($4-$3):(0) with vectors nohead lw 1.4 lc rgb \"#0072B2\" notitle, \\\n"
		"     dat using 3:0 with points pt 7 ps 0.6 lc rgb \"#0072B2\" title \"median\", \\\n"
		"     dat using 4:0 with points pt 2 ps 0.5 lc rgb \"#D55E00\" title \"p99\", \\\n"
		"     dat using 2:0 with points pt 12 ps 0.7 lw 1.2 lc rgb \"#202020\" title \"mean\"\n");
	strbuf_addf(
		&doc->caption,
		"%s, %s: from median to 99th percentile (p99), and the mean; costliest %zu reasons by total time, logarithmic axis.",
		view_str(set->rec[0], "workload"), view_str(set->rec[0], "mode"), n);
	reasons_free(&all);
	return 0;
}

/* A halted guest has nothing to do: that time is not the price of an exit. */
static size_t without_halts(struct reason *list, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		struct reason r = list[i];

		if (!strcasecmp(r.name, "hlt"))
			continue;
		/* Swapped rather than dropped: the caller frees them all. */
		list[i] = list[kept];
		list[kept++] = r;
	}
	return kept;
}

static double breakdown_data(struct fig_doc *doc, const struct reason *list, size_t n, double unit)
{
	double max = 0;

	strbuf_addf(&doc->dat, "# reason fast slow user sum: mean of one exit, in units of %g ns\n",
		    unit);
	for (size_t i = 0; i < n; i++) {
		double c = list[i].count * unit;

		fig_quote(&doc->dat, list[i].name);
		strbuf_addf(&doc->dat, " %.6g %.6g %.6g ", list[i].fast_ns / c, list[i].slow_ns / c,
			    list[i].user_ns / c);
		fig_quote(&doc->dat, fmt_ns(list[i].total_ns / list[i].count));
		strbuf_addc(&doc->dat, '\n');
		max = fmax(max, list[i].total_ns / c);
	}
	return max;
}

static const char breakdown_plot[] =
	"set key outside top center horizontal Left reverse\nh = 0.34\n"
	"plot dat using 2:0:(0):2:($0-h):($0+h) with boxxyerror @fill5 lw 0.5 dt 1 "
	"title \"KVM, fast path\", \\\n"
	"     dat using 2:0:2:($2+$3):($0-h):($0+h) with boxxyerror @fill1 lw 0.5 dt 1 "
	"title \"KVM, slow path\", \\\n"
	"     dat using 2:0:($2+$3):($2+$3+$4):($0-h):($0+h) with boxxyerror @fill4 lw 0.5 dt 1 "
	"title \"userspace\", \\\n"
	"     dat using ($2+$3+$4):0:(\" \".stringcolumn(5)) with labels left notitle\n";

int fig_exit_breakdown(const struct fig_set *set, struct fig_doc *doc)
{
	struct reasons all;
	size_t timed = costly_reasons(set, doc, &all), n = without_halts(all.list, timed);
	double max = 0, unit;

	if (!n) {
		reasons_free(&all);
		return timed ? fig_missing(doc, "the record's only exits are halts") : -ENODATA;
	}
	for (size_t i = 0; i < n; i++)
		max = fmax(max, all.list[i].total_ns / all.list[i].count);
	unit = max >= 2e6 ? 1e6 : max >= 2e3 ? 1e3 : 1;
	row_axis(doc, all.list, n);
	max = breakdown_data(doc, all.list, n, unit);
	fig_linear_tics(doc, "x", max * 1.22, doc->width_in >= FIG_WIDE_IN ? 9 : 5);
	strbuf_addf(&doc->gp, "set xlabel \"Mean time of one exit (%s)\"\nset xrange [0:%.4g]\n%s",
		    unit >= 1e6	  ? "ms"
		    : unit >= 1e3 ? "us"
				  : "ns",
		    max * 1.22, breakdown_plot);
	strbuf_addf(
		&doc->caption,
		"%s, %s: mean time of one exit, split into KVM's fast path, KVM's slow path and userspace; "
		"costliest %zu reasons by total time, without halts.",
		view_str(set->rec[0], "workload"), view_str(set->rec[0], "mode"), n);
	reasons_free(&all);
	return 0;
}
