// SPDX-License-Identifier: MIT
/* What each kind of exit costs the guest: one row per kind, drawn from its histogram. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/figure.h"
#include "base/hist_json.h"

#define KINDS 16

static const char prefix[] = "exit_cost_ns.";

struct kind {
	char name[48];
	struct hist hist;
};

static int by_median(const void *a, const void *b)
{
	uint64_t x = hist_quantile(&((const struct kind *)a)->hist, 0.5);
	uint64_t y = hist_quantile(&((const struct kind *)b)->hist, 0.5);

	return (x > y) - (x < y);
}

static bool has_kind(const struct kind *kind, size_t n, const char *name)
{
	for (size_t k = 0; k < n; k++)
		if (!strcmp(kind[k].name, name))
			return true;
	return false;
}

/* Kinds that any ok sample has, histograms summed over the samples, the cheapest first. */
static size_t read_kinds(const json_t *rec, struct kind *kind)
{
	const json_t *samples = record_of(rec).samples;
	struct record_sample s;
	const char *name;
	size_t n = 0;
	json_t *h;

	for (size_t i = 0; record_sample(samples, i, &s); i++) {
		json_object_foreach (s.hists, name, h) {
			const char *of = name + sizeof(prefix) - 1;

			if (strncmp(name, prefix, sizeof(prefix) - 1) || has_kind(kind, n, of))
				continue;
			if (n == KINDS || !record_hist(rec, name, &kind[n].hist))
				continue;
			snprintf(kind[n++].name, sizeof(kind->name), "%s", of);
		}
	}
	qsort(kind, n, sizeof(*kind), by_median);
	return n;
}

static void add_rows(struct fig_doc *doc, const struct kind *kind, size_t n)
{
	static const double q[] = {0.05, 0.25, 0.5, 0.75, 0.95, 0.99};

	strbuf_adds(&doc->dat, "# kind p5_us p25_us p50_us p75_us p95_us p99_us count\n");
	strbuf_addf(&doc->gp, "set yrange [%g:-0.6]\nset ytics scale 0 (", (double)n - 0.4);
	for (size_t i = 0; i < n; i++) {
		fig_quote(&doc->dat, kind[i].name);
		for (size_t k = 0; k < ARRAY_SIZE(q); k++)
			strbuf_addf(&doc->dat, " %.6g",
				    (double)hist_quantile(&kind[i].hist, q[k]) / 1e3);
		strbuf_addf(&doc->dat, " %llu\n", (unsigned long long)kind[i].hist.count);
		strbuf_adds(&doc->gp, text_if(i, ", "));
		fig_quote_tic(&doc->gp, kind[i].name);
		strbuf_addf(&doc->gp, " %zu", i);
	}
	strbuf_adds(&doc->gp, ")\nset grid noytics xtics\n");
}

int fig_exit_kinds(const struct fig_set *set, struct fig_doc *doc)
{
	struct kind *kind = xcalloc(KINDS, sizeof(*kind));
	size_t n = read_kinds(set->rec[0], kind);

	if (!n) {
		free(kind);
		return fig_missing(doc, "the record has no histogram of exit_cost_ns by kind");
	}
	doc->height_in = MAX(0.45 * doc->height_in, 0.75 + 0.2 * (double)n);
	add_rows(doc, kind, n);
	fig_log_tics(doc, "x", (double)hist_quantile(&kind[0].hist, 0.05) / 1.3e3,
		     (double)hist_quantile(&kind[n - 1].hist, 0.99) / 0.77e3);
	strbuf_adds(
		&doc->gp,
		"set rmargin 3\nset autoscale xfix\nset offsets graph 0.04, graph 0.04, 0, 0\n"
		"set logscale x 10\nset format x \"%g\"\nset xlabel \"Round trip (us)\"\n"
		"set key outside top center horizontal\nh = 0.24\n"
		"plot dat using 2:0:($6-$2):(0) with vectors nohead lw 1 lc rgb \"#202020\" notitle, \\\n"
		"     dat using 3:0:3:5:($0-h):($0+h) with boxxyerror @fill5 lw 0.6 dt 1 notitle, \\\n"
		"     dat using 4:0 with points pt 7 ps 0.5*mark lc rgb \"#0072B2\" title \"median\", \\\n"
		"     dat using 7:0 with points pt 2 ps 0.5*mark lc rgb \"#D55E00\" title \"p99\"\n");
	strbuf_addf(
		&doc->caption,
		"%s: boxes from the 25th to the 75th percentile, lines from the 5th to the 95th, "
		"crosses: the 99th, "
		"over all boots; logarithmic axis.",
		record_of(set->rec[0]).workload);
	free(kind);
	return 0;
}
