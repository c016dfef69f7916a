// SPDX-License-Identifier: MIT
#include "bench/cli/vmms_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/table.h"
#include "results/query.h"
#include "results/record.h"

#define LOOK_BACK 300 /* newest runs */
#define COLUMNS	  9   /* beside the path, at most */

/* A column is a metric of the newest run of a workload with the VMM of the row. */
struct column {
	const char *title, *workload, *metric;
};

/* A table: a row for each path of a workload, of the newest run of it. */
struct part {
	const char *workload;
	struct column column[COLUMNS + 1];
};

static const struct part parts[] = {
	{"net-throughput",
	 {{":boot", "boot", "boot_ns"},
	  {":boot exits", "boot", "boot_exits"},
	  {":memory beside", "boot", "vmm_overhead_bytes"},
	  {":idle exits/s", "idle", "exits_per_s"},
	  {":throughput", "net-throughput", "throughput_bps"},
	  {":latency", "net-throughput", "latency_ns"},
	  {":exits/packet", "net-throughput", "exits_per_packet"},
	  {":CPU/packet", "net-throughput", "cpu_ns_per_packet"}}},
	{"blk-iops",
	 {{":I/Os per second", "blk-iops", "iops"},
	  {":latency", "blk-iops", "latency_ns"},
	  {":exits/I/O", "blk-iops", "exits_per_io"},
	  {":kicks/I/O", "blk-iops", "kicks_per_io"},
	  {":interrupts/I/O", "blk-iops", "interrupts_per_io"},
	  {":CPU/I/O", "blk-iops", "cpu_ns_per_io"}}},
};

/* What the store has, oldest first. */
struct shelf {
	struct store *store;
	struct run_row *rows;
	size_t n;
};

/* A path without a VM is told by its mode alone; boot and idle of a VM have none. */
static bool same_path(const struct run_row *a, const struct run_row *path)
{
	if (strcmp(a->vmm, path->vmm) || strcmp(a->substrate, path->substrate) ||
	    strcmp(a->machine, path->machine))
		return false;
	return !strcmp(a->mode, path->mode) || (*path->vmm && !*a->mode);
}

/* Of the newest run that says it. */
static void add_value(struct table *t, const struct shelf *s, const struct run_row *path,
		      const struct column *c)
{
	struct interval median;
	json_t *rec = NULL;

	for (size_t i = s->n; i-- > 0 && !rec;)
		if (s->rows[i].ok && !strcmp(s->rows[i].workload, c->workload) &&
		    same_path(&s->rows[i], path))
			rec = store_load(s->store, s->rows[i].id);
	if (rec && record_summary(rec, c->metric, &median))
		table_cell(t, "%s", metric_text(c->metric, median.point));
	else
		table_cell(t, "-");
	json_decref(rec);
}

static bool has_row(const struct run_row *r, const struct part *p)
{
	return r->ok && !strcmp(r->workload, p->workload);
}

/* A newer one of the same path has the row. */
static bool is_repeated(const struct shelf *s, const struct part *p, size_t at)
{
	for (size_t i = at + 1; i < s->n; i++)
		if (has_row(&s->rows[i], p) && same_path(&s->rows[i], &s->rows[at]))
			return true;
	return false;
}

static void add_row(struct table *t, const struct shelf *s, const struct part *p, const struct run_row *path)
{
	table_cell(t, "%s%s%s", path->mode, text_if(*path->vmm, "/"), path->vmm);
	for (const struct column *c = p->column; c->title; c++)
		add_value(t, s, path, c);
}

static struct table *part_table(const struct part *p)
{
	const char *titles[COLUMNS + 2] = {"path:"};

	for (size_t i = 0; p->column[i].title; i++)
		titles[i + 1] = p->column[i].title;
	return table_new_from(titles);
}

static bool part_is_empty(const struct shelf *s, const struct part *p)
{
	for (size_t i = 0; i < s->n; i++)
		if (has_row(&s->rows[i], p))
			return false;
	return true;
}

static void print_part(const struct shelf *s, const struct part *p)
{
	struct table *t = part_table(p);

	for (size_t i = 0; i < s->n; i++)
		if (has_row(&s->rows[i], p) && !is_repeated(s, p, i))
			add_row(t, s, p, &s->rows[i]);
	table_print(t, stdout);
}

int vmms_table_print(const char *store_dir)
{
	struct run_filter newest = {.last = LOOK_BACK};
	struct shelf s = {NULL, NULL, 0};
	bool before = false;

	if (store_open(&s.store, store_dir))
		return EXIT_CANNOT;
	if (store_list(s.store, &newest, &s.rows, &s.n)) {
		store_close(s.store);
		return EXIT_CANNOT;
	}
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (part_is_empty(&s, &parts[i]))
			continue;
		if (before)
			putchar('\n');
		before = true;
		print_part(&s, &parts[i]);
	}
	run_rows_free(s.rows, s.n);
	store_close(s.store);
	return EXIT_OK;
}
