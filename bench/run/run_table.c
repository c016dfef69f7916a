// SPDX-License-Identifier: MIT
/* The one table of a run. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/stats.h"
#include "base/escape.h"
#include "base/strbuf.h"
#include "base/table.h"
#include "bench/sample/bottleneck.h"
#include "bench/run/run.h"

#define METRICS_MAX      16 /* columns of the table */
#define SPREAD_MIN_BOOTS 4
#define SPREAD_LIMIT_PCT 10 /* below it nobody would look twice */

static bool has(const json_t *rec, const char *metric)
{
	struct interval iv;

	return record_summary(rec, metric, &iv);
}

/* "1.23 G [1.20 G, 1.26 G]", the interval only when there are enough boots for one. */
static void value_cell(struct table *t, const json_t *rec, const char *metric)
{
	struct interval iv;

	if (!record_summary(rec, metric, &iv))
		table_cell(t, "-");
	else if (iv.n < STATS_MIN_N)
		table_cell(t, "%s", metric_text(metric, iv.point));
	else
		table_cell(t, "%s [%s, %s]", metric_text(metric, iv.point), metric_text(metric, iv.low),
			   metric_text(metric, iv.high));
}

static void ratio_cell(struct table *t, const json_t *base, const json_t *rec, const char *metric)
{
	size_t na, nb;
	double *a = record_values(base, metric, &na), *b = record_values(rec, metric, &nb);
	struct interval r = {0, 0, 0, 0};

	if (na && nb)
		r = stats_ratio_ci(a, na, b, nb, 1);
	if (!na || !nb)
		table_cell(t, "-");
	else if (base == rec)
		table_cell(t, "1.00");
	else if (MIN(na, nb) < STATS_MIN_N)
		table_cell(t, "%.2f", r.point);
	else
		table_cell(t, "%.2f [%.2f, %.2f]", r.point, r.low, r.high);
	free(a);
	free(b);
}

static const char *row_name(const json_t *rec)
{
	return record_plan_of(rec).cell;
}

static size_t count_samples(const json_t *rec)
{
	return json_array_size(record_of(rec).samples);
}

/* Columns after the headline and its ratio; those that no record has are left out. */
static size_t choose_columns(const json_t *records, const struct workload *wl, char **metric, size_t max)
{
	char *copy = xstrdup(wl->metrics), *save;
	size_t n = 0;

	for (char *w = strtok_r(copy, " ", &save); w && n < max; w = strtok_r(NULL, " ", &save)) {
		json_t *rec;
		size_t i;
		bool any = !n; /* the headline is always shown */

		json_array_foreach(records, i, rec)
			any |= has(rec, w);
		if (any)
			metric[n++] = xstrdup(w);
	}
	free(copy);
	return n;
}

static void print_failures(const json_t *rec)
{
	const json_t *samples = record_of(rec).samples;
	struct record_sample s;

	for (size_t i = 0; record_sample(samples, i, &s); i++)
		if (!s.ok)
			print_plain(stdout, "FAILED %s boot %zu: %s\n", row_name(rec), i + 1, s.error);
}

/* The bottleneck of each record: no faster path could have gone beyond it. */
static void print_bottlenecks(const json_t *records)
{
	struct strbuf all = STRBUF_INIT;
	json_t *rec;
	size_t i;

	json_array_foreach(records, i, rec) {
		struct strbuf one = STRBUF_INIT;

		if (bottleneck_text(record_of(rec).samples, &one))
			strbuf_addf(&all, "%s%s: %s", text_if(all.len, "; "), row_name(rec),
				    strbuf_str(&one));
		strbuf_free(&one);
	}
	if (all.len)
		print_plain(stdout, "\nbusy in the window: %s", strbuf_str(&all));
	strbuf_free(&all);
}

/* The deviation of the boots from their median in percent of it, or NAN. */
static double spread_pct(const json_t *rec, const char *metric)
{
	size_t n;
	double *x = record_values(rec, metric, &n), pct = NAN;

	if (n >= SPREAD_MIN_BOOTS && stats_median(x, n) > 0)
		pct = 100 * stats_mad(x, n) / stats_median(x, n);
	free(x);
	return pct;
}

/* The middle one of the other records' spreads, or NAN. */
static double peers_spread_pct(const json_t *records, size_t but, const char *metric)
{
	double *pct = xcalloc(json_array_size(records), sizeof(*pct)), middle = NAN;
	size_t n = 0, i;
	json_t *rec;

	json_array_foreach(records, i, rec) {
		double p = spread_pct(rec, metric);

		if (i != but && !isnan(p))
			pct[n++] = p;
	}
	if (n)
		middle = stats_median(pct, n);
	free(pct);
	return middle;
}

static bool has_two_modes(const json_t *rec, const char *metric)
{
	size_t n;
	double *x = record_values(rec, metric, &n);
	bool two = stats_bimodal(x, n);

	free(x);
	return two;
}

/* Records whose median may be no good word for their boots. */
static void print_unsteady(const json_t *records, const char *metric)
{
	json_t *rec;
	size_t i;

	json_array_foreach(records, i, rec) {
		double pct = spread_pct(rec, metric), peers = peers_spread_pct(records, i, metric);

		if (has_two_modes(rec, metric))
			print_plain(stdout, "TWO MODES %s: its boots fall into two groups by %s; the median may name neither\n",
				    row_name(rec), metric);
		else if (pct > SPREAD_LIMIT_PCT && pct > 2 * peers)
			print_plain(stdout, "UNSTEADY %s: its boots lie %.0f %% off their median (%s), those of the other rows %.0f %%\n",
				    row_name(rec), pct, metric, peers);
	}
}

static size_t count_repeated(const json_t *rec)
{
	const json_t *samples = record_of(rec).samples;
	struct record_sample s;
	size_t n = 0;

	for (size_t i = 0; record_sample(samples, i, &s); i++)
		n += s.repeated;
	return n;
}

static void print_overhead(const json_t *records)
{
	double overhead = 0;
	json_t *rec;
	size_t i;

	json_array_foreach(records, i, rec)
		overhead = fmax(overhead, record_of(rec).overhead_pct);
	if (overhead > 0)
		printf("; probes' own CPU%s %.1f %%", text_if(i > 1, " at most"), overhead);
}

static void print_footer(const json_t *records)
{
	struct record first = record_of(json_array_get(records, 0));
	size_t n = json_array_size(first.samples), repeated = 0, i;
	json_t *rec;

	print_plain(stdout, "\nsubstrate %s, times %s; ", first.substrate, first.time_base);
	printf("n = %zu boot%s", n, text_if(n != 1, "s"));
	printf("%s", n < STATS_MIN_N ? " (too few for an interval)" : ", medians with 95 % intervals");
	print_overhead(records);
	print_bottlenecks(records);
	json_array_foreach(records, i, rec)
		repeated += count_repeated(rec);
	if (repeated)
		printf("\nboots that the lab lost and that were repeated: %zu", repeated);
	printf("\nrecords:");
	json_array_foreach(records, i, rec)
		print_plain(stdout, " %s", record_of(rec).id);
	printf("\n");
}

static struct table *make_table(const json_t *records, char **metric, size_t n, bool ratio)
{
	const char *head[METRICS_MAX + 3] = {"path:"};
	size_t columns = 1;
	struct table *t;

	for (size_t i = 0; i < n; i++) {
		head[columns++] = xasprintf(":%s", metric[i]);
		if (!i && ratio)
			head[columns++] = xasprintf(":x of %s", row_name(json_array_get(records, 0)));
	}
	t = table_new_from(head);
	for (size_t i = 1; i < columns; i++)
		free((char *)head[i]);
	return t;
}

void run_print_table(const json_t *records, const struct workload *wl)
{
	char *metric[METRICS_MAX] = {NULL};
	size_t n = choose_columns(records, wl, metric, ARRAY_SIZE(metric)), i;
	bool ratio = json_array_size(records) > 1;
	struct table *t = make_table(records, metric, n, ratio);
	json_t *rec;

	json_array_foreach(records, i, rec) {
		size_t failed = count_samples(rec) - record_ok_samples(rec);

		if (failed)
			table_cell(t, "%s (%zu FAILED)", row_name(rec), failed);
		else
			table_cell(t, "%s", row_name(rec));
		value_cell(t, rec, metric[0]);
		if (ratio)
			ratio_cell(t, json_array_get(records, 0), rec, metric[0]);
		for (size_t k = 1; k < n; k++)
			value_cell(t, rec, metric[k]);
	}
	table_print_fit(t, stdout);
	json_array_foreach(records, i, rec)
		print_failures(rec);
	print_unsteady(records, metric[0]);
	print_footer(records);
	for (i = 0; i < n; i++)
		free(metric[i]);
}
