// SPDX-License-Identifier: MIT
/* The parts of a window: what each kind of operation cost in exits. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
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

static void put_per_op(json_t *metrics, const char *what, const char *kind, double n)
{
	char name[96];

	snprintf(name, sizeof(name), "%s_per_op.%s", what, kind);
	json_object_set_new(metrics, name, json_real(n));
}

void measure_laps(const struct observed *o, json_t *metrics)
{
	const json_t *laps = probed_of(o->probes).laps, *parts = probed_of(o->probes).parts;
	const char *metric, *kind;
	struct probed_part p;
	size_t part = 0;
	json_t *ops;

	if (!json_array_size(laps) && !o->contained)
		return;
	json_object_foreach(o->agent, metric, ops) {
		double exits = 0;

		kind = measure_lap_kind(metric);
		if (!kind)
			continue;
		if (!o->contained)
			exits = exits_between(laps, part++);
		if (json_number_value(ops) <= 0)
			continue;
		put_per_op(metrics, "exits", kind, exits / json_number_value(ops));
		if (part && probed_part(parts, part - 1, &p))
			put_per_op(metrics, "hypercalls", kind, p.hypercalls / json_number_value(ops));
	}
}

json_t *measure_ops(const struct observed *o)
{
	const json_t *parts = probed_of(o->probes).parts;
	const char *metric, *kind;
	struct probed_part p;
	json_t *out, *ops;
	size_t part = 0;

	if (!json_array_size(parts))
		return NULL;
	out = json_array();
	json_object_foreach(o->agent, metric, ops) {
		kind = measure_lap_kind(metric);
		if (kind && probed_part(parts, part++, &p))
			json_array_append_new(out, json_pack("{s:s, s:O}", "name", kind, "exits", p.exits));
	}
	return out;
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

/* What one operation asks of Xen, by what Xen is: the guest's own count of operations is a second source. */
struct known_op {
	const char *backend, *op, *reason, *key; /* key NULL: any */
	unsigned each;
};

#define CALL "hypercall"
#define IRET "iret"

static double count_rows(const json_t *exits, const char *reason, const char *key)
{
	struct record_exit e;
	double n = 0;

	for (size_t i = 0; record_exit(exits, i, &e); i++)
		if (!strcmp(e.reason, reason) && (!key || !strcmp(e.key, key)))
			n += e.count;
	return n;
}

/* Without those of the timer's interrupts, each of which sets the next. */
static double count_irets(const json_t *exits)
{
	return count_rows(exits, CALL, IRET) - count_rows(exits, CALL, "vcpu_op set_singleshot_timer");
}

/*
 * What marking and timing a part has itself is what one has whose operation asks for nothing. NAN: none was
 * done.
 */
static double own_irets(const json_t *ops)
{
	struct record_op op;

	for (size_t i = 0; record_op(ops, i, &op); i++)
		if (!strcmp(op.name, "cpuid"))
			return count_irets(op.exits);
	return NAN;
}

static double count_known(const struct known_op *k, const json_t *exits, const json_t *ops)
{
	if (k->key && !strcmp(k->key, IRET))
		return count_irets(exits) - own_irets(ops);
	return count_rows(exits, k->reason, k->key);
}

/* What else happens in that time may fault once or twice. */
static bool check_known(const struct known_op *k, double guest, double seen, struct strbuf *detail)
{
	if (isnan(seen))
		return true;
	strbuf_sep(detail, ", ");
	strbuf_addf(detail, "%s: %s %.0f, the guest %.0f", k->op, text_or(k->key, k->reason), seen,
		    guest * k->each);
	return fabs(seen - guest * k->each) <= 2 + guest * k->each / 100;
}

bool measure_ops_check(const struct observed *o, const json_t *ops, json_t *checks)
{
	static const struct known_op known[] = {
		{PROBED_XEN_PV, "syscall", CALL, IRET, 1},
		{PROBED_XEN_PV, "page_fault", "page fault", NULL, 1},
		{PROBED_XEN_PV, "page_fault", CALL, "mmu_update", 1},
		{PROBED_XEN_PV, "page_fault", CALL, IRET, 1},
		{PROBED_XEN_PV, "mprotect", CALL, "mmu_update", 2},
		{PROBED_XEN_PV, "mprotect", CALL, IRET, 2},
		{PROBED_XEN_PV, "pipe", CALL, IRET, 2},
		{PROBED_XEN_PV, "port_write", "privileged op", "port write", 1},
		{PROBED_XEN_PV, "port_write", CALL, IRET, 1},
		{PROBED_XEN_HVM, "cpuid", "cpuid", NULL, 1},
	};
	const char *backend = probed_of(o->probes).backend;
	struct strbuf detail = STRBUF_INIT;
	struct record_op op;
	bool ok = true;

	for (size_t i = 0; record_op(ops, i, &op); i++) {
		char *metric = xasprintf(OPS "%s", op.name);
		double n = json_number_value(json_object_get(o->agent, metric));

		for (size_t k = 0; k < ARRAY_SIZE(known); k++)
			if (!strcmp(known[k].backend, backend) && !strcmp(known[k].op, op.name))
				ok &= check_known(&known[k], n, count_known(&known[k], op.exits, ops),
						  &detail);
		free(metric);
	}
	if (detail.len)
		record_add_check(checks, "guest_ops", ok, strbuf_str(&detail));
	strbuf_free(&detail);
	return ok;
}
