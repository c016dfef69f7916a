// SPDX-License-Identifier: MIT
/* One exit: what it costs by reason, and where that time goes. Rows are reasons. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "analysis/fig_reasons.h"
#include "analysis/figure.h"
#include "base/table.h"

#define ROWS 10

static int by_total(const void *a, const void *b)
{
	const struct reason *p = a, *q = b;

	if (p->total_ns != q->total_ns)
		return (p->total_ns < q->total_ns) - (p->total_ns > q->total_ns);
	return strcmp(p->name, q->name);
}

/* Reasons of one record by total time, the costliest first, with times. */
static size_t costly_reasons(const struct fig_set *set, struct fig_doc *doc, struct reasons *all)
{
	size_t timed = 0;

	*all = (struct reasons){NULL, 0};
	reasons_add(set->rec[0], exit_reason, all);
	if (all->n)
		qsort(all->list, all->n, sizeof(*all->list), by_total);
	while (timed < all->n && all->list[timed].total_ns > 0 && all->list[timed].count > 0)
		timed++;
	if (!all->n)
		fig_missing(doc, "the record has no exits by reason");
	else if (!timed)
		fig_missing(doc, "the record's exits carry no times");
	return MIN(timed, (size_t)ROWS);
}

static void row_axis(struct fig_doc *doc, const struct reason *list, size_t n)
{
	doc->height_in = MAX(0.45 * doc->height_in, 0.75 + 0.2 * (double)n);
	strbuf_addf(&doc->gp, "set yrange [%g:-0.6]\nset ytics scale 0 (", (double)n - 0.4);
	for (size_t i = 0; i < n; i++) {
		strbuf_adds(&doc->gp, text_if(i, ", "));
		fig_quote_tic(&doc->gp, list[i].name);
		strbuf_addf(&doc->gp, " %zu", i);
	}
	strbuf_adds(&doc->gp, ")\nset grid noytics xtics\n");
}

/* "net-throughput, virtio" or "exit-cost": what the caption of a single run begins with. */
static void name_run(struct fig_doc *doc, const json_t *rec)
{
	struct record r = record_of(rec);

	strbuf_adds(&doc->caption, r.workload);
	if (*r.mode)
		strbuf_addf(&doc->caption, ", %s", r.mode);
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
		"# reason mean_us p50_us p99_us count_per_sample; percentiles over all keys where "
		"histograms were kept, else of the most frequent key\n");
	for (size_t i = 0; i < n; i++) {
		fig_quote(&doc->dat, list[i].name);
		strbuf_addf(&doc->dat, " %.6g %.6g %.6g %.6g\n",
			    list[i].total_ns / list[i].count / 1e3, list[i].p50_ns / 1e3,
			    list[i].p99_ns / 1e3, list[i].count);
	}
	strbuf_adds(
		&doc->gp,
		"set rmargin 3\nset autoscale xfix\nset offsets graph 0.04, graph 0.04, 0, 0\nset "
		"logscale x 10\nset format x \"%g\"\nset xlabel \"Handling time (us)\"\n"
		"set key outside top center horizontal\n"
		"plot dat using 3:0:($4-$3):(0) with vectors nohead lw 1.4 lc rgb \"#0072B2\" notitle, \\\n"
		"     dat using 3:0 with points pt 7 ps 0.6*mark lc rgb \"#0072B2\" title \"median\", \\\n"
		"     dat using 4:0 with points pt 2 ps 0.5*mark lc rgb \"#D55E00\" title \"p99\", \\\n"
		"     dat using 2:0 with points pt 12 ps 0.7*mark lw 1.2 lc rgb \"#202020\" title "
		"\"mean\"\n");
	name_run(doc, set->rec[0]);
	strbuf_addf(
		&doc->caption,
		": from median to 99th percentile (p99), and the mean; costliest %zu reasons by "
		"total time, logarithmic axis.",
		n);
	reasons_free(&all);
	return 0;
}

/* A halted guest has nothing to do: that time is not the price of an exit. */
static size_t without_halts(struct reason *list, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		struct reason r = list[i];

		if (r.hlt)
			continue;
		/* Swapped rather than dropped: the caller frees them all. */
		list[i] = list[kept];
		list[kept++] = r;
	}
	return kept;
}

/* A back end that emits no kvm_exit shows its exits to userspace only: nothing to break down. */
static bool any_in_kvm(const struct reason *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].fast_ns + list[i].slow_ns > 0)
			return true;
	return false;
}

/*
 * Waiting and sleep are drawn where there is enough of them to be seen: a key of five words fits no
 * column.
 */
static bool any_off_cpu(const struct reason *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].wait_ns + list[i].asleep_ns > 0.005 * list[i].total_ns)
			return true;
	return false;
}

static double breakdown_data(struct fig_doc *doc, const struct reason *list, size_t n, double unit)
{
	double max = 0;

	strbuf_addf(&doc->dat,
		    "# reason fast slow user waiting asleep sum: mean of one exit, in units of %g ns\n", unit);
	for (size_t i = 0; i < n; i++) {
		double c = list[i].count * unit;

		fig_quote(&doc->dat, list[i].name);
		strbuf_addf(&doc->dat, " %.6g %.6g %.6g %.6g %.6g ", list[i].fast_ns / c,
			    list[i].slow_ns / c, list[i].user_ns / c, list[i].wait_ns / c,
			    list[i].asleep_ns / c);
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
	"title \"userspace\", \\\n";
static const char breakdown_off[] =
	"     dat using 2:0:($2+$3+$4):($2+$3+$4+$5):($0-h):($0+h) with boxxyerror @fill2 lw 0.5 dt 1 "
	"title \"waiting\", \\\n"
	"     dat using 2:0:($2+$3+$4+$5):($2+$3+$4+$5+$6):($0-h):($0+h) with boxxyerror @fill3 lw 0.5 dt 1 "
	"title \"asleep\", \\\n";
static const char breakdown_sums[] =
	"     dat using ($2+$3+$4+$5+$6):0:(stringcolumn(7)) with labels boxed left offset 1,0 notitle\n";

/* In which the longest time has one to four digits. */
static double time_unit(double max_ns, const char **name)
{
	static const char *const names[] = {"ns", "us", "ms", NULL};

	return fig_scale(max_ns, 2e3, names, name);
}

int fig_exit_breakdown(const struct fig_set *set, struct fig_doc *doc)
{
	struct reasons all;
	size_t timed = costly_reasons(set, doc, &all), n = without_halts(all.list, timed);
	const char *unit_name;
	double max = 0, unit;

	if (!any_in_kvm(all.list, n)) {
		reasons_free(&all);
		if (!timed)
			return -ENODATA;
		if (!n)
			return fig_missing(doc, "the record's only exits are halts");
		return fig_missing(doc, "this KVM's tracepoints show the time in userspace only");
	}
	for (size_t i = 0; i < n; i++)
		max = fmax(max, all.list[i].total_ns / all.list[i].count);
	unit = time_unit(max, &unit_name);
	row_axis(doc, all.list, n);
	max = breakdown_data(doc, all.list, n, unit);
	fig_linear_tics(doc, "x", max * 1.22, doc->width_in >= FIG_WIDE_IN ? 9 : 5);
	strbuf_addf(&doc->gp, "set xlabel \"Mean time of one exit (%s)\"\nset xrange [0:%.4g]\n%s%s%s",
		    unit_name, max * 1.22, breakdown_plot, text_if(any_off_cpu(all.list, n), breakdown_off),
		    breakdown_sums);
	name_run(doc, set->rec[0]);
	strbuf_addf(
		&doc->caption,
		": mean time of one exit, split into KVM's fast path, KVM's slow path, userspace, and "
		"where it was any, waiting for a CPU and sleep; costliest %zu reasons by total time, without halts.",
		n);
	reasons_free(&all);
	return 0;
}
