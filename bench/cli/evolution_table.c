// SPDX-License-Identifier: MIT
#include "bench/cli/evolution_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/evolution.h"
#include "base/log.h"
#include "base/number.h"
#include "base/table.h"
#include "results/query.h"

#define LOOK_BACK 300 /* newest runs */
#define STEPS	  16  /* at most */

/* The newest record of each step in virtual time, NULL where there is none: its times, and its counts. */
struct evolution {
	json_t *rec[STEPS], *counted[STEPS];
	size_t n;
};

static void keep_newest(struct evolution *e, json_t *rec)
{
	for (size_t i = 0; i < e->n; i++) {
		if (!evolution_is(&evolution_steps[i], rec))
			continue;
		if (!e->rec[i] && evolution_has_times(rec))
			e->rec[i] = json_incref(rec);
		if (!e->counted[i] && evolution_has_counts(rec))
			e->counted[i] = json_incref(rec);
	}
	json_decref(rec);
}

static int load_evolution(struct evolution *e, const char *store_dir)
{
	struct run_filter filter = {.workload = "kernel-ops", .ok_only = true, .last = LOOK_BACK};
	struct run_row *rows;
	struct store *store;
	size_t n;
	int err;

	*e = (struct evolution){.n = 0};
	while (e->n < STEPS && evolution_steps[e->n].name)
		e->n++;
	err = store_open(&store, store_dir);
	if (err)
		return err;
	err = store_list(store, &filter, &rows, &n);
	if (!err) {
		/* Rows are oldest first. */
		for (size_t i = n; i-- > 0;)
			if (!strcmp(rows[i].time_base, "virtual"))
				keep_newest(e, store_load(store, rows[i].id));
		run_rows_free(rows, n);
	}
	store_close(store);
	return err;
}

static const json_t *base_of(const struct evolution *e, const json_t *rec)
{
	json_t *there[STEPS];
	size_t n = 0;

	for (size_t i = 0; i < e->n; i++)
		if (e->rec[i])
			there[n++] = e->rec[i];
	return evolution_base(rec, there, n);
}

/* Bare metal in its time, all others relative to it. */
static void add_cost(struct table *t, const struct evolution *e, const json_t *rec, const char *metric)
{
	const json_t *base = base_of(e, rec);
	double ratio = evolution_ratio(rec, base, metric);
	struct interval iv;

	if (rec == base && record_summary(rec, metric, &iv))
		table_cell(t, "%s", metric_text(metric, iv.point));
	else if (ratio > 0)
		table_cell(t, "%.2f", ratio);
	else
		table_cell(t, "-");
}

static void add_count(struct table *t, const json_t *rec, const char *what, const char *metric)
{
	char *name = xasprintf("%s.%s", what, evolution_operation(metric));
	struct interval iv;

	if (record_summary(rec, name, &iv))
		table_cell(t, "%.2f", iv.point);
	else
		table_cell(t, "-");
	free(name);
}

static void add_exits(struct table *t, const struct evolution *e, const json_t *rec, const char *metric)
{
	(void)e;
	add_count(t, rec, "exits_per_op", metric);
}

static void add_hypercalls(struct table *t, const struct evolution *e, const json_t *rec, const char *metric)
{
	(void)e;
	add_count(t, rec, "hypercalls_per_op", metric);
}

/* Steps are columns, operations rows. */
static struct table *step_table(const struct evolution *e, json_t *const *rec)
{
	const char *titles[STEPS + 2] = {"operation:"};
	char *title[STEPS];
	struct table *t;
	size_t n = 0;

	for (size_t i = 0; i < e->n; i++)
		if (rec[i])
			title[n++] = xasprintf(":%s", evolution_steps[i].name);
	for (size_t i = 0; i < n; i++)
		titles[i + 1] = title[i];
	t = table_new_from(titles);
	for (size_t i = 0; i < n; i++)
		free(title[i]);
	return t;
}

typedef void add_cell(struct table *t, const struct evolution *e, const json_t *rec, const char *metric);

/* rec: of each step, or NULL. */
static void print_operations(const struct evolution *e, json_t *const *rec, add_cell *add)
{
	struct table *t = step_table(e, rec);
	const char *metric;

	for (size_t m = 0; (metric = evolution_metric(m)); m++) {
		table_cell(t, "%s", evolution_operation(metric));
		for (size_t i = 0; i < e->n; i++)
			if (rec[i])
				add(t, e, rec[i], metric);
	}
	table_print(t, stdout);
}

/* Of the steps whose exits are told one by one. */
static void print_hypercalls(const struct evolution *e)
{
	json_t *rec[STEPS] = {NULL};
	struct interval iv;
	bool any = false;

	for (size_t i = 0; i < e->n; i++) {
		if (!e->counted[i] || !record_summary(e->counted[i], "hypercalls_per_op.syscall", &iv))
			continue;
		rec[i] = e->counted[i];
		any = true;
	}
	if (!any)
		return;
	printf("\nhypercalls per operation, those within a multicall too\n");
	print_operations(e, rec, add_hypercalls);
}

static void print_missing(const struct evolution *e)
{
	for (size_t i = 0; i < e->n; i++)
		if (!e->rec[i])
			printf("%s: not measured yet\n", evolution_steps[i].name);
}

int evolution_table_print(const char *store_dir)
{
	struct evolution e;

	if (load_evolution(&e, store_dir))
		return EXIT_CANNOT;
	printf("time of an operation; beside bare metal of the same machine as a multiple of it\n");
	print_operations(&e, e.rec, add_cost);
	printf("\nexits per operation\n");
	print_operations(&e, e.counted, add_exits);
	print_hypercalls(&e);
	printf("\n");
	print_missing(&e);
	for (size_t i = 0; i < e.n; i++) {
		json_decref(e.rec[i]);
		json_decref(e.counted[i]);
	}
	return EXIT_OK;
}
