// SPDX-License-Identifier: MIT
#include "bench/cli/vmms_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/table.h"
#include "results/query.h"
#include "results/record.h"

#define LOOK_BACK 300 /* newest runs */

/* A column is a metric of the newest run of a workload with the VMM of the row. */
static const char *const titles[] = {"path:",	      ":boot",	     ":boot exits", ":memory beside",
				     ":idle exits/s", ":throughput", ":latency",    ":exits/packet",
				     ":CPU/packet",   NULL};
static const struct {
	const char *workload, *metric;
} columns[] = {
	{"boot", "boot_ns"},
	{"boot", "boot_exits"},
	{"boot", "vmm_overhead_bytes"},
	{"idle", "exits_per_s"},
	{"net-throughput", "throughput_bps"},
	{"net-throughput", "latency_ns"},
	{"net-throughput", "exits_per_packet"},
	{"net-throughput", "cpu_ns_per_packet"},
};
_Static_assert(ARRAY_SIZE(titles) == ARRAY_SIZE(columns) + 2, "a title each, the path's, the end");

static bool is_net(const char *workload)
{
	return !strcmp(workload, "net-throughput");
}

/* A path without a VM is told by its mode alone; boot and idle of a VM have none. */
static bool same_path(const struct run_row *a, const struct run_row *net)
{
	if (strcmp(a->vmm, net->vmm) || strcmp(a->substrate, net->substrate) ||
	    strcmp(a->machine, net->machine))
		return false;
	return !strcmp(a->mode, net->mode) || (*net->vmm && !is_net(a->workload));
}

/* Of the newest run that says it; rows are oldest first. */
static void add_value(struct table *t, struct store *store, const struct run_row *rows, size_t n,
		      const struct run_row *net, size_t column)
{
	const char *metric = columns[column].metric;
	struct interval median;
	json_t *rec = NULL;

	for (size_t i = n; i-- > 0 && !rec;)
		if (!strcmp(rows[i].workload, columns[column].workload) && rows[i].ok &&
		    same_path(&rows[i], net))
			rec = store_load(store, rows[i].id);
	if (rec && record_summary(rec, metric, &median))
		table_cell(t, "%s", metric_text(metric, median.point));
	else
		table_cell(t, "-");
	json_decref(rec);
}

/* A newer one of the same path has the row. */
static bool is_repeated(const struct run_row *rows, size_t n, size_t at)
{
	for (size_t i = at + 1; i < n; i++)
		if (rows[i].ok && is_net(rows[i].workload) && same_path(&rows[i], &rows[at]))
			return true;
	return false;
}

static void add_row(struct table *t, struct store *store, const struct run_row *rows, size_t n, size_t at)
{
	table_cell(t, "%s%s%s", rows[at].mode, text_if(*rows[at].vmm, "/"), rows[at].vmm);
	for (size_t c = 0; c < ARRAY_SIZE(columns); c++)
		add_value(t, store, rows, n, &rows[at], c);
}

int vmms_table_print(const char *store_dir)
{
	struct run_filter newest = {.last = LOOK_BACK};
	struct table *t = table_new_from(titles);
	struct run_row *rows;
	struct store *store;
	size_t n;

	if (store_open(&store, store_dir))
		return EXIT_CANNOT;
	if (store_list(store, &newest, &rows, &n)) {
		store_close(store);
		return EXIT_CANNOT;
	}
	for (size_t i = 0; i < n; i++)
		if (rows[i].ok && is_net(rows[i].workload) && !is_repeated(rows, n, i))
			add_row(t, store, rows, n, i);
	table_print(t, stdout);
	run_rows_free(rows, n);
	store_close(store);
	return EXIT_OK;
}
