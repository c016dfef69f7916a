// SPDX-License-Identifier: MIT
/* The dashboard's own false-alarm rate, by the gate's rule. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/dashboard.h"
#include "analysis/gate.h"
#include "analysis/spread.h"

/* Two runs of one series and one build with none between them, the older first. */
struct aa_pair {
	const struct run_row *a, *b;
};

static int by_series(const void *a, const void *b)
{
	const struct run_row *x = *(const struct run_row *const *)a, *y = *(const struct run_row *const *)b;
	int c = strcmp(x->series, y->series);

	if (c)
		return c;
	return (x->order > y->order) - (x->order < y->order);
}

/* Newest first. */
static int by_age(const void *a, const void *b)
{
	int64_t x = ((const struct aa_pair *)a)->b->order, y = ((const struct aa_pair *)b)->b->order;

	return (x < y) - (x > y);
}

static struct aa_pair *find_pairs(const struct dash *d, size_t *n)
{
	const struct run_row **row = xcalloc(d->rows, sizeof(*row));
	struct aa_pair *pair = NULL;

	*n = 0;
	for (size_t i = 0; i < d->rows; i++)
		row[i] = &d->row[i];
	if (d->rows)
		qsort(row, d->rows, sizeof(*row), by_series);
	for (size_t i = 1; i < d->rows; i++) {
		const struct run_row *a = row[i - 1], *b = row[i];

		if (!*b->build || strcmp(a->build, b->build) != 0 || strcmp(a->series, b->series) != 0)
			continue;
		pair = xgrow(pair, *n, sizeof(*pair));
		pair[(*n)++] = (struct aa_pair){a, b};
	}
	if (*n)
		qsort(pair, *n, sizeof(*pair), by_age);
	free(row);
	return pair;
}

static json_t *record_of_run(const struct dash *d, const struct run_row *r)
{
	char *path = xasprintf("%s/%s/record.json", d->runs_dir, r->id);
	json_t *rec = record_read(path);

	free(path);
	return rec;
}

static void count_pair(struct dash *d, const struct aa_pair *p, struct store *store,
		       const struct dashboard_opts *opts)
{
	json_t *a = record_of_run(d, p->a), *b = record_of_run(d, p->b);
	struct gate_opts gate = {.headline = opts->headline ? opts->headline(p->a->workload) : NULL};
	struct spreads spreads;

	if (a && b && !spreads_learn(&spreads, store, p->a->series)) {
		gate.spreads = &spreads;
		d->aa_pairs++;
		d->aa_alarms += gate_suspects(a, b, &gate);
		spreads_free(&spreads);
	}
	json_decref(a);
	json_decref(b);
}

void dash_count_false_alarms(struct dash *d, struct store *store, const struct dashboard_opts *opts)
{
	size_t n;
	struct aa_pair *pair = find_pairs(d, &n);

	for (size_t i = 0; i < MIN(n, DASH_AA_PAIRS); i++)
		count_pair(d, &pair[i], store, opts);
	free(pair);
}
