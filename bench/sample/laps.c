// SPDX-License-Identifier: MIT
/* The parts of a window: what each kind of operation cost in exits. */
#include <stdio.h>
#include <string.h>

#include "bench/sample/measure.h"
#include "probes/data.h"

#define OPS "ops."

const char *measure_lap_kind(const char *metric)
{
	if (strncmp(metric, OPS, strlen(OPS)) != 0)
		return NULL;
	return metric + strlen(OPS);
}

static size_t count_kinds(const json_t *agent)
{
	const char *metric;
	size_t n = 0;
	json_t *v;

	json_object_foreach((json_t *)agent, metric, v)
		n += !!measure_lap_kind(metric);
	return n;
}

/* Each edge is an exit too: the one behind the part was counted since the one before it. */
static double exits_between(const json_t *laps, size_t part)
{
	double before = json_number_value(json_array_get(laps, 2 * part));

	return json_number_value(json_array_get(laps, 2 * part + 1)) - before - 1;
}

void measure_laps(const struct observed *o, json_t *metrics)
{
	const json_t *laps = probed_of(o->probes).laps;
	const char *metric, *kind;
	size_t part = 0;
	json_t *ops;

	if (!json_array_size(laps) && !o->contained)
		return;
	json_object_foreach(o->agent, metric, ops) {
		double exits = 0;
		char name[96];

		kind = measure_lap_kind(metric);
		if (!kind)
			continue;
		if (!o->contained)
			exits = exits_between(laps, part++);
		if (json_number_value(ops) <= 0)
			continue;
		snprintf(name, sizeof(name), "exits_per_op.%s", kind);
		json_object_set_new(metrics, name, json_real(exits / json_number_value(ops)));
	}
}

bool measure_laps_check(const struct observed *o, json_t *checks)
{
	struct probed d = probed_of(o->probes);
	size_t edges = json_array_size(d.laps), kinds = count_kinds(o->agent);
	bool ok = edges == 2 * kinds;
	char detail[96];

	if (!d.totals || o->translated || (!edges && !kinds))
		return true;
	snprintf(detail, sizeof(detail), "%zu kinds of operations, %zu edges marked", kinds, edges);
	record_add_check(checks, "laps", ok, detail);
	return ok;
}
