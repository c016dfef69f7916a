// SPDX-License-Identifier: MIT
/* The machines that a store has records from: how steady each is, and whether it has changed itself. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/dashboard.h"
#include "analysis/stats.h"
#include "results/machine.h"

#define DAY_MS 86400000

static const struct metric_info speed_metric = {"calibration_ns", "ns", -1,
						"processor time of a fixed piece of integer work"};

/* ---- noise ---- */

static struct dash_noise *noise_of(struct dash_noise **noise, size_t *n, const struct dash_series *s)
{
	struct dash_noise *last = NULL;

	for (size_t i = 0; i < *n; i++) {
		last = &(*noise)[i];
		if (!strcmp(last->workload, s->config->workload) && !strcmp(last->metric, s->name))
			return last;
	}
	*noise = xgrow(*noise, *n, sizeof(**noise));
	last = &(*noise)[(*n)++];
	*last = (struct dash_noise){.workload = s->config->workload, .metric = s->name};
	return last;
}

/* Pairs of neighbours of one build: nothing changed between them but the moment. */
static void add_pairs(const struct dash *d, const struct dash_series *s, struct dash_noise *noise)
{
	const struct run_row *before = NULL;

	for (size_t i = 0; i < s->n; i++) {
		const struct run_row *r = dash_run(d, s->p[i].id);

		if (before && r && *r->build && !strcmp(before->build, r->build) && s->p[i - 1].median > 0) {
			noise->v = xgrow(noise->v, noise->n, sizeof(*noise->v));
			noise->v[noise->n++] = fabs(s->p[i].median / s->p[i - 1].median - 1);
		}
		before = r;
	}
}

static int by_workload(const void *a, const void *b)
{
	const struct dash_noise *x = a, *y = b;
	int c = strcmp(x->workload, y->workload);

	if (c)
		return c;
	return strcmp(x->metric, y->metric);
}

size_t dash_noise(const struct dash *d, const char *machine, struct dash_noise **noise)
{
	size_t n = 0;

	*noise = NULL;
	for (size_t i = 0; i < d->n; i++)
		if (!machine || !strcmp(d->series[i].config->machine, machine))
			add_pairs(d, &d->series[i], noise_of(noise, &n, &d->series[i]));
	for (size_t i = 0; i < n; i++)
		if ((*noise)[i].n)
			qsort((*noise)[i].v, (*noise)[i].n, sizeof(double), stats_by_value);
	if (n)
		qsort(*noise, n, sizeof(**noise), by_workload);
	return n;
}

void dash_noise_free(struct dash_noise *noise, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(noise[i].v);
	free(noise);
}

/* ---- speed ---- */

/* The median of a day's runs, under the last one's name. */
static void add_day(struct dash_machine *m, size_t *days, const struct run_row *const *row, size_t n)
{
	double *v = xcalloc(n, sizeof(*v));
	struct series_point *p;

	for (size_t i = 0; i < n; i++)
		v[i] = (double)row[i]->speed;
	m->point = xgrow(m->point, *days, sizeof(*m->point));
	p = &m->point[(*days)++];
	*p = (struct series_point){.order = row[n - 1]->order, .series = "", .metric = speed_metric.name,
				   .median = stats_median(v, n), .low = NAN, .high = NAN, .n = (int)n};
	memcpy(p->id, row[n - 1]->id, sizeof(p->id));
	free(v);
}

static void find_speed(struct dash_machine *m, const struct run_row *const *row, size_t n)
{
	size_t days = 0, end;

	for (size_t i = 0; i < n; i = end) {
		for (end = i + 1; end < n && row[end]->order / DAY_MS == row[i]->order / DAY_MS;)
			end++;
		add_day(m, &days, row + i, end - i);
	}
	m->config = (struct dash_config){.key = "", .machine = (char *)m->name};
	m->speed = (struct dash_series){.config = &m->config, .metric = &speed_metric,
					.name = speed_metric.name, .p = m->point, .n = days, .each = "days"};
	dash_judge(&m->speed);
}

/* ---- machines ---- */

static int by_machine(const void *a, const void *b)
{
	const struct run_row *x = *(const struct run_row *const *)a, *y = *(const struct run_row *const *)b;
	int c = strcmp(x->machine, y->machine);

	if (c)
		return c;
	return (x->order > y->order) - (x->order < y->order);
}

static char *page_of_machine(const char *name)
{
	uint32_t hash = 2166136261u;
	char *page, *file;

	for (const char *s = name; *s; s++)
		hash = (hash ^ (unsigned char)*s) * 16777619u;
	page = xasprintf("%s-%08x.html", name, hash);
	file = dash_file_name(page);
	free(page);
	return file;
}

/* row: its runs, the oldest first. */
static void add_machine(struct dash *d, struct store *store, const struct run_row **row, size_t n)
{
	struct dash_machine *m = &d->machine[d->machines++];
	size_t timed = 0;

	*m = (struct dash_machine){.name = row[0]->machine, .runs = n, .newest = row[n - 1]};
	m->page = page_of_machine(m->name);
	for (size_t i = 0; i < n; i++)
		if (row[i]->speed > 0)
			row[timed++] = row[i];
	find_speed(m, row, timed);
	m->noises = dash_noise(d, m->name, &m->noise);
	for (size_t i = 0; i < d->n; i++)
		m->unsettled +=
			!strcmp(d->series[i].config->machine, m->name) && dash_unsettled(&d->series[i]);
	m->findings = machine_load(store, m->name);
}

static size_t count_machines(const struct run_row *const *row, size_t n)
{
	size_t machines = 0;

	for (size_t i = 0; i < n; i++)
		machines += !i || strcmp(row[i]->machine, row[i - 1]->machine) != 0;
	return machines;
}

void dash_find_machines(struct dash *d, struct store *store)
{
	const struct run_row **row = xcalloc(d->rows + 1, sizeof(*row));
	size_t n = 0, end;

	for (size_t i = 0; i < d->rows; i++)
		if (*d->row[i].machine)
			row[n++] = &d->row[i];
	if (n)
		qsort(row, n, sizeof(*row), by_machine);
	/* In one piece: a machine's series points to its config. */
	d->machine = xcalloc(count_machines(row, n) + 1, sizeof(*d->machine));
	for (size_t i = 0; i < n; i = end) {
		for (end = i + 1; end < n && !strcmp(row[end]->machine, row[i]->machine);)
			end++;
		add_machine(d, store, row + i, end - i);
	}
	free(row);
}

void dash_machines_free(struct dash *d)
{
	for (size_t i = 0; i < d->machines; i++) {
		struct dash_machine *m = &d->machine[i];

		dash_series_free(&m->speed);
		dash_noise_free(m->noise, m->noises);
		json_decref(m->findings);
		free(m->point);
		free(m->page);
	}
	free(d->machine);
}
