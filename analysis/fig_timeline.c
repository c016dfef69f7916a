// SPDX-License-Identifier: MIT
/* Every sample at the place where it ran: drift, warm-up and outliers show, and so does a plan that
 * was not interleaved. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/figure.h"

static const char *const metrics[] = {"throughput_bps",
				      "transactions_per_s",
				      "packets_per_s",
				      "iops",
				      "latency_ns",
				      "exit_cost_ns",
				      "boot_ns",
				      NULL};

/* Position of the record's k-th sample in the executed plan; without a plan they are taken to
 * alternate. */
static double position(const struct fig_set *set, size_t i, size_t k)
{
	struct record_plan plan = record_plan_of(set->rec[i]);
	const char *step;
	char want[256];

	snprintf(want, sizeof(want), "%s/%zu", plan.cell, k);
	for (size_t at = 0; record_text(plan.order, at, &step); at++)
		if (!strcmp(step, want))
			return (double)at + 1;
	return (double)(k * set->n + i) + 1;
}

static void sample_rows(const struct fig_set *set, struct fig_doc *doc, size_t i,
			const char *metric)
{
	const json_t *samples = record_of(set->rec[i]).samples;
	struct interval median = {.point = 0};
	struct record_sample s;

	record_summary(set->rec[i], metric, &median);
	for (size_t k = 0; record_sample(samples, k, &s); k++) {
		double value, failed = NAN;

		if (!record_value(&s, metric, &value)) {
			value = NAN;
			failed = 1;
		}
		strbuf_addf(&doc->dat, "%g", position(set, i, k));
		fig_num(&doc->dat, value / median.point);
		fig_num(&doc->dat, failed);
		strbuf_addc(&doc->dat, '\n');
	}
	strbuf_adds(&doc->dat, "\n\n");
}

static size_t samples_of(const json_t *rec)
{
	return json_array_size(record_of(rec).samples);
}

static bool any_failed(const struct fig_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		if (record_ok_samples(set->rec[i]) < samples_of(set->rec[i]))
			return true;
	return false;
}

/* Of a plan of which some runs only are drawn, the positions go beyond the number of their samples. */
static double last_position(const struct fig_set *set)
{
	double last = 0;

	for (size_t i = 0; i < set->n; i++)
		for (size_t k = samples_of(set->rec[i]); k-- > 0;)
			last = fmax(last, position(set, i, k));
	return last;
}

/* Four or five tics, 1 among them. */
static void value_axis(const struct fig_set *set, struct fig_doc *doc, const char *metric)
{
	static const double steps[] = {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2,
				       0.5,   1,     2,	    5,	  10,	20,   50,  100};
	double spread = 0.001;
	size_t s = 0;

	for (size_t i = 0; i < set->n; i++) {
		struct interval iv;
		size_t n;
		double *x = record_values(set->rec[i], metric, &n);

		record_summary(set->rec[i], metric, &iv);
		for (size_t k = 0; iv.point > 0 && k < n; k++)
			spread = fmax(spread, fabs(x[k] / iv.point - 1));
		free(x);
	}
	while (s + 1 < ARRAY_SIZE(steps) && spread / steps[s] > 2.2)
		s++;
	strbuf_addf(&doc->gp, "set yrange [%g:%g]\nset ytics %g\nset xrange [0:%g]\n",
		    fmax(1 - spread * 1.15, 0), 1 + spread * 1.15, steps[s], last_position(set) + 1);
}

int fig_timeline(const struct fig_set *set, struct fig_doc *doc)
{
	const char *metric = fig_common_metric(set, metrics);

	if (!metric)
		return fig_missing(
			doc,
			"the records share none of throughput, transactions, packets, latency, "
			"exit cost and boot time");
	value_axis(set, doc, metric);
	strbuf_addf(
		&doc->gp,
		"set xlabel \"Sample, in the order of the plan\"\nset ylabel \"Relative to its median\"\n"
		"set key outside top center horizontal samplen 0.6\n"
		"plot 1 with lines lt 8 lw 0.6 dt 1 notitle");
	for (size_t i = 0; i < set->n; i++) {
		char *label = fig_label(set, i, NULL);

		strbuf_addf(&doc->dat, "# %s: position, %s by its median, failed\n", label, metric);
		sample_rows(set, doc, i, metric);
		strbuf_addf(
			&doc->gp,
			", \\\n     dat index %zu using 1:2 with linespoints lt %d lw 0.5 title ",
			i, fig_linetype(set, i));
		fig_quote(&doc->gp, label);
		free(label);
	}
	for (size_t i = 0; any_failed(set) && i < set->n; i++)
		strbuf_addf(
			&doc->gp,
			", \\\n     dat index %zu using 1:3 with points pt 2 ps 1*mark lw 1.5 lc "
			"rgb \"#D00000\" title \"%s\"",
			i, text_if(!i, "failed"));
	strbuf_adds(&doc->gp, "\n");
	strbuf_addf(
		&doc->caption,
		"Each point: %s of one boot divided by the median of its configuration, at its "
		"place in the "
		"plan; a cross: a failed sample.",
		metric);
	return 0;
}
