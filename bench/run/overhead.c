// SPDX-License-Identifier: MIT
/* bench run --overhead: what observing costs, as one plan whose cells differ in the observer only. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/stats.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "base/table.h"
#include "bench/sample/observer.h"
#include "bench/plan/plan.h"
#include "results/record.h"

#define SET "observer="

int overhead_expand(struct run_args *args)
{
	struct strbuf set = STRBUF_INIT;

	for (size_t i = 0; i < args->set.n; i++) {
		if (strncmp(args->set.item[i], SET, strlen(SET)))
			continue;
		log_error("--overhead sets the observer itself; leave out --set %s", args->set.item[i]);
		return -EINVAL;
	}
	for (size_t i = 0; observer_names[i]; i++) {
		const char *name = observer_names[i], *missing = observer_missing(name);

		if (!strcmp(name, OBSERVER_LIFE)) /* keeps every step, and is no way to count */
			continue;
		if (missing) {
			log_warn("--overhead: %s; its column is left out", missing);
			continue;
		}
		strbuf_adds(&set, set.len ? "," : SET);
		strbuf_adds(&set, name);
	}
	args->set.item = xgrow(args->set.item, args->set.n, sizeof(*args->set.item));
	args->set.item[args->set.n++] = strbuf_take(&set);
	return 0;
}

static const char *observer_of(const json_t *rec)
{
	return record_knob(rec, "observer");
}

/* The first that has the metric: a matrix over --set op= has a record for each kind of exit. */
static const json_t *find_record(const json_t *records, const char *observer, const char *metric)
{
	struct interval iv;
	json_t *rec;
	size_t i;

	json_array_foreach(records, i, rec)
		if (!strcmp(observer_of(rec), observer) && (!metric || record_summary(rec, metric, &iv)))
			return rec;
	return NULL;
}

/* "+12.3 %", with its interval when there are boots enough for one. */
static void added_cell(struct table *t, const json_t *off, const json_t *rec, const char *metric)
{
	size_t na, nb = 0;
	double *a = record_values(off, metric, &na), *b = NULL;
	struct interval r = {NAN, NAN, NAN, 0};

	if (rec)
		b = record_values(rec, metric, &nb);
	if (na && nb)
		r = stats_ratio_ci(a, na, b, nb, 1);
	if (!na || !nb)
		table_cell(t, "not measured");
	else if (MIN(na, nb) < STATS_MIN_N)
		table_cell(t, "%+.1f %%", 100 * (r.point - 1));
	else
		table_cell(t, "%+.1f %% [%+.1f, %+.1f]", 100 * (r.point - 1), 100 * (r.low - 1),
			   100 * (r.high - 1));
	free(a);
	free(b);
}

/* A row for each kind of exit that this record of a run without observer has. */
static void print_kinds(struct table *t, const json_t *records, const json_t *off,
			const char *const *column, size_t n)
{
	static const char prefix[] = "exit_cost_ns.";
	const char *metric;
	struct interval iv;

	for (void *at = NULL; record_next_metric(off, &at, &metric, &iv);) {
		if (strncmp(metric, prefix, strlen(prefix)))
			continue;
		table_cell(t, "%s", metric + strlen(prefix));
		table_cell(t, "%s", fmt_ns(iv.point));
		for (size_t i = 0; i < n; i++)
			added_cell(t, off, find_record(records, column[i], metric), metric);
	}
}

static struct table *new_table(const char *const *column, size_t n)
{
	const char *head[OBSERVERS + 2] = {"exit:", ":nobody looks"};
	struct table *t;

	for (size_t i = 0; i < n; i++)
		head[i + 2] = xasprintf(":%s", column[i]);
	t = table_new_from(head);
	for (size_t i = 0; i < n; i++)
		free((char *)head[i + 2]);
	return t;
}

void overhead_print(const json_t *records)
{
	const json_t *off = find_record(records, "off", NULL);
	const char *column[OBSERVERS - 1];
	size_t n = 0, boots, i;
	struct record r;
	struct table *t;
	json_t *rec;

	for (i = 0; observer_names[i]; i++)
		if (strcmp(observer_names[i], "off") && find_record(records, observer_names[i], NULL))
			column[n++] = observer_names[i];
	if (!off)
		return;
	t = new_table(column, n);
	json_array_foreach(records, i, rec)
		if (!strcmp(observer_of(rec), "off"))
			print_kinds(t, records, rec, column, n);
	table_print(t, stdout);
	r = record_of(off);
	boots = json_array_size(r.samples);
	printf("\nadded to the median time of one exit; substrate %s, times %s; n = %zu boots each%s\n",
	       r.substrate, r.time_base, boots,
	       text_if(boots < STATS_MIN_N, " (too few for an interval)"));
}
