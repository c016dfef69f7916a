// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "tests/golden/sets.h"

const struct golden_set golden_sets[] = {
	{"throughput", fixture_modes, 0, 0},
	{"exits", fixture_modes, 1, 0},
	{"packet-events", fixture_modes, 1, 0},
	{"batch", fixture_modes, 1, 0},
	{"cpu", fixture_modes, 0, 0},
	{"message-size", fixture_sizes, 0, 0},
	{"latency-cdf", fixture_latency, 0, 0},
	{"latency-percentiles", fixture_latency, 0, 0},
	{"load", fixture_loads, 0, 0},
	{"depth", fixture_depths, 0, 0},
	{"io-exits", fixture_disks, 0, 0},
	{"exit-cost", fixture_modes, 2, 1},
	{"exit-breakdown", fixture_modes, 2, 1},
	{"exit-kinds", fixture_costs, 0, 0},
	{"assistance", fixture_assistance, 0, 0},
	{"scaling-vms", fixture_vms, 0, 0},
	{"scaling-queues", fixture_queues, 0, 0},
	{"life", fixture_life, 0, 0},
	{"timeline", fixture_modes, 1, 0},
	{"operations", fixture_operations, 0, 0},
	{"operation-exits", fixture_operations, 1, 0},
	{NULL, NULL, 0, 0},
};

void golden_load(const struct golden_set *g, struct fig_set *out)
{
	*out = (struct fig_set){xcalloc(64, sizeof(*out->rec)), 0};
	for (const struct fixture *f = g->fixtures + g->first;
	     f->workload && (!g->n || out->n < g->n); f++)
		out->rec[out->n++] = fixture_record(f);
}

void golden_free(struct fig_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		json_decref(set->rec[i]);
	free(set->rec);
}
