// SPDX-License-Identifier: MIT
/* The distribution of latency, and its quantiles with their intervals. */
#include <math.h>
#include <stdlib.h>

#include "analysis/figure.h"
#include "results/record.h"

#define SEED	 1
#define TAIL_MIN 1e-5 /* the axis ends at 99.999 % */

static const char hist_name[] = "latency_ns";

bool fig_latency_quantile(const json_t *rec, double q, struct interval *out)
{
	const json_t *samples = record_of(rec).samples;
	double *x = xcalloc(json_array_size(samples), sizeof(*x));
	struct hist *h = xcalloc(1, sizeof(*h));
	struct record_sample s;
	size_t n = 0;

	for (size_t i = 0; record_sample(samples, i, &s); i++) {
		if (!s.ok || hist_from_json(json_object_get(s.hists, hist_name), h) || !h->count)
			continue;
		x[n++] = (double)hist_quantile(h, q);
	}
	*out = stats_median_ci(x, n);
	free(h);
	free(x);
	return n > 0;
}

bool fig_has_latency(const json_t *rec)
{
	struct interval iv;

	return fig_latency_quantile(rec, 0.5, &iv);
}

/* Steps of the share above each slot's end, down to TAIL_MIN; widens x. Returns the smallest share
 * written. */
static double cdf_block(struct fig_doc *doc, const struct hist *h, const char *label,
			struct interval *x)
{
	double above = (double)h->count, smallest = 1;

	strbuf_addf(&doc->dat, "# %s: latency_us share_of_requests_that_took_longer\n", label);
	strbuf_addf(&doc->dat, "%.6g 1\n", (double)h->min / 1e3);
	for (unsigned slot = 0; slot < HIST_SLOTS; slot++) {
		if (!h->slots[slot])
			continue;
		above -= (double)h->slots[slot];
		if (above / (double)h->count < TAIL_MIN || above < 1)
			break;
		smallest = above / (double)h->count;
		x->high = fmax(x->high, (double)hist_slot_high(slot) / 1e3);
		strbuf_addf(&doc->dat, "%.6g %.6g\n", (double)hist_slot_high(slot) / 1e3, smallest);
	}
	x->low = fmin(x->low, (double)h->min / 1e3);
	strbuf_adds(&doc->dat, "\n\n");
	return smallest;
}

int fig_latency_cdf(const struct fig_set *set, struct fig_doc *doc)
{
	struct hist *h = xcalloc(1, sizeof(*h));
	struct interval x = {.low = INFINITY};
	struct strbuf plot = STRBUF_INIT;
	double smallest = 1;
	size_t drawn = 0;

	for (size_t i = 0; i < set->n; i++) {
		char *label = fig_label(set, i, NULL);

		if (record_hist(set->rec[i], hist_name, h)) {
			smallest = fmin(smallest, cdf_block(doc, h, label, &x));
			strbuf_addf(&plot, "%s dat index %zu using 1:2 with steps lt %d title ",
				    text_if(drawn, ", \\\n    "), drawn, fig_linetype(set, i));
			fig_quote(&plot, label);
			drawn++;
		}
		free(label);
	}
	free(h);
	if (!drawn)
		return fig_missing(doc, "no record has a %s histogram", hist_name);
	fig_log_tics(doc, "x", x.low / 1.3, x.high * 1.4);
	strbuf_addf(
		&doc->gp,
		"set logscale xy 10\nset format x \"%%g\"\nset xrange [%.4g:%.4g]\nset "
		"xlabel \"Latency (us)\"\n"
		"set ylabel \"Share of requests\"\nset yrange [1:%.3g] reverse\n"
		"set ytics (\"50 %%%%\" 0.5, \"90 %%%%\" 0.1, \"99 %%%%\" 0.01, \"99.9 "
		"%%%%\" 0.001, "
		"\"99.99 %%%%\" 0.0001, \"99.999 %%%%\" 0.00001)\nset grid xtics\nset rmargin 3\n"
		"set key bottom right Right samplen 2.4\nplot%s\n",
		x.low / 1.3, x.high * 1.4, fmax(smallest / 1.3, TAIL_MIN), strbuf_str(&plot));
	strbuf_free(&plot);
	strbuf_adds(
		&doc->caption,
		"Cumulative distribution over all boots: the share of requests that took at most "
		"this long; the vertical axis stretches the tail.");
	return 0;
}
