// SPDX-License-Identifier: MIT
/* What a domain did between the markers of its window, as rows, totals and laps. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/strbuf.h"
#include "probes/data.h"
#include "probes/hypercalls.h"
#include "probes/reasons.h"
#include "probes/xen_trace.h"
#include "workloads/protocol.h"

#define NR_IRET 23

/* Where in the events the markers are: the window's edges, and those of its parts between them. */
struct marks {
	size_t open, close;
	size_t *lap, n_laps;
	bool found;
	uint64_t place; /* of a PV domain: where its kernel writes a port for a program */
};

static bool is_exit(const struct xen_event *e)
{
	return e->kind != XEN_SUBCALL;
}

static bool is_call(const struct xen_event *e)
{
	return e->kind == XEN_HYPERCALL || e->kind == XEN_SUBCALL ||
	       (e->kind == XEN_EXIT && e->key & KEY_XEN);
}

static void add_lap(struct marks *m, size_t i)
{
	m->lap = xgrow(m->lap, m->n_laps, sizeof(*m->lap));
	m->lap[m->n_laps++] = i;
}

/* ---- an HVM domain: port and value are recorded ---- */

static bool is_marker(const struct xen_event *e, enum marker_op op)
{
	return e->kind == XEN_EXIT && e->key == (XEN_PORT_WRITE | MARKER_PORT) &&
	       e->value == MARKER_VALUE(op);
}

static void find_by_value(const struct xen_trace *t, struct marks *m)
{
	bool open = false;

	for (size_t i = 0; i < t->n; i++) {
		if (is_marker(&t->event[i], MARKER_OPEN)) {
			m->open = i;
			m->n_laps = 0;
			open = true;
		} else if (open && is_marker(&t->event[i], MARKER_LAP)) {
			add_lap(m, i);
		} else if (open && is_marker(&t->event[i], MARKER_CLOSE)) {
			m->close = i;
			m->found = true;
		}
	}
}

/* ---- a PV domain: only the place of the instruction is recorded ---- */

static bool is_privop_of_user(const struct xen_trace *t, size_t i)
{
	const struct xen_event *e = &t->event[i];

	return e->kind == XEN_PRIVOP && i + 1 < t->n && e[1].kind == XEN_HYPERCALL &&
	       (e[1].key & 0xffff) == NR_IRET;
}

static int compare_places(const void *a, const void *b)
{
	return compare_u64(*(const uint64_t *)a, *(const uint64_t *)b);
}

/*
 * The kernel writes a port for a program in one place, and goes back to the program from there. What its own
 * drivers do is somewhere else, mostly with no way back in between.
 */
static uint64_t place_of_writes(const struct xen_trace *t)
{
	uint64_t *place = xcalloc(t->n + 1, sizeof(*place)), found = 0;
	size_t n = 0, most = 0, run = 0;

	for (size_t i = 0; i < t->n; i++)
		if (is_privop_of_user(t, i))
			place[n++] = t->event[i].at;
	qsort(place, n, sizeof(*place), compare_places);
	for (size_t i = 0; i < n; i++) {
		if (i && place[i] != place[i - 1])
			run = 0;
		if (++run <= most)
			continue;
		most = run;
		found = place[i];
	}
	free(place);
	return found;
}

/* All writes at that place, in order. */
static size_t list_writes(const struct xen_trace *t, uint64_t place, size_t **list)
{
	size_t n = 0;

	*list = NULL;
	for (size_t i = 0; i < t->n; i++) {
		if (t->event[i].kind != XEN_PRIVOP || t->event[i].at != place)
			continue;
		*list = xgrow(*list, n, sizeof(**list));
		(*list)[n++] = i;
	}
	return n;
}

/* The last thing that the guest writes is that its window closes; from there everything is counted back. */
static void find_by_order(const struct xen_trace *t, const struct xen_parts *parts, struct marks *m)
{
	uint64_t place = place_of_writes(t);
	uint64_t wanted = 2 + 2 * parts->n;
	size_t *list, n = 0, at;

	for (size_t i = 0; i < parts->n; i++)
		if (__builtin_add_overflow(wanted, parts->writes[i], &wanted))
			return;
	if (place)
		n = list_writes(t, place, &list);
	if (!n || n < wanted)
		goto out;
	at = n - wanted;
	m->open = list[at++];
	for (size_t i = 0; i < parts->n; i++) {
		add_lap(m, list[at]);
		at += parts->writes[i] + 1;
		add_lap(m, list[at++]);
	}
	m->close = list[at];
	m->place = place;
	m->found = true;
out:
	if (place)
		free(list);
}

/* ---- rows ---- */

static const char *const grant_names[XEN_GRANT_KINDS] = {"map", "unmap", "transfer", "copy"};

static const char *kind_name(const struct xen_trace *t, const struct xen_event *e)
{
	static const char *const names[] = {
		[XEN_HYPERCALL] = "hypercall",
		[XEN_SUBCALL] = "in multicall",
		[XEN_TRAP] = "trap",
		[XEN_PAGE_FAULT] = "page fault",
		[XEN_INVALID_OP] = "invalid op",
		[XEN_PRIVOP] = "privileged op",
		[XEN_SEGMENT] = "segment",
		[XEN_FPU] = "fpu",
		[XEN_FIXUP] = "paging fixup",
		[XEN_DESCRIPTOR] = "descriptor",
		[XEN_PTWR] = "page-table write",
	};

	if (e->kind == XEN_EXIT)
		return reason_name(t->backend, e->code);
	return names[e->kind];
}

/* A port that a program writes is told from what the kernel does of its own, as in a switch of tasks. */
static void key_name(const struct xen_event *e, uint64_t place, char *buf, size_t size)
{
	buf[0] = '\0';
	if (is_call(e))
		hypercall_text(e->key, buf, size);
	else if (e->kind == XEN_PRIVOP && e->at == place)
		snprintf(buf, size, "port write");
	else if (e->kind == XEN_TRAP)
		snprintf(buf, size, "#%" PRIu64, e->key);
	else if (e->kind == XEN_EXIT && e->key)
		snprintf(buf, size, "%s 0x%" PRIx64, (e->key & XEN_PORT_WRITE) ? "out" : "in",
			 e->key & 0xffff);
}

static void count_row(json_t *rows, const char *reason, const char *key, json_int_t n)
{
	char id[128];
	json_t *row;

	snprintf(id, sizeof(id), "%s|%s", reason, key);
	row = json_object_get(rows, id);
	if (!row) {
		row = json_pack("{s:s, s:s, s:i}", "reason", reason, "key", key, "count", 0);
		json_object_set_new(rows, id, row);
	}
	json_integer_set(json_object_get(row, "count"),
			 json_integer_value(json_object_get(row, "count")) + n);
}

/* Most first. */
static int by_count(const void *a, const void *b)
{
	json_int_t x = json_integer_value(json_object_get(*(json_t *const *)a, "count"));
	json_int_t y = json_integer_value(json_object_get(*(json_t *const *)b, "count"));

	return (x < y) - (x > y);
}

static json_t *rows_list(json_t *rows)
{
	size_t n = json_object_size(rows), i = 0;
	json_t **v = xcalloc(n + 1, sizeof(*v)), *list = json_array(), *row;
	const char *id;

	json_object_foreach (rows, id, row)
		v[i++] = row;
	qsort(v, n, sizeof(*v), by_count);
	for (i = 0; i < n; i++)
		json_array_append(list, v[i]);
	free(v);
	return list;
}

static void add_sums(struct xen_sums *s, const struct xen_trace *t, const struct xen_event *e)
{
	const char *reason = kind_name(t, e);

	s->exits += is_exit(e);
	s->hypercalls += is_call(e);
	s->pio += e->kind == XEN_EXIT && !strcmp(reason, "io");
	s->hlt += e->kind == XEN_EXIT && !strcmp(reason, "hlt");
}

void xen_tally_add(struct xen_tally *y, const struct xen_trace *t, const struct xen_event *e)
{
	char key[64];

	if (!y->rows)
		y->rows = json_object();
	key_name(e, y->place, key, sizeof(key));
	count_row(y->rows, kind_name(t, e), key, 1);
	add_sums(&y->sums, t, e);
}

/* Of what dom0 has copied Xen does not say whose it was: where there are several domains nobody knows. */
void xen_tally_grants(struct xen_tally *y, const struct xen_trace *t)
{
	for (size_t i = 0; i < t->n_grants; i++) {
		const struct xen_grant *g = &t->grant[i];

		if (!y->rows)
			y->rows = json_object();
		if (g->kind != XEN_GRANT_COPY)
			count_row(y->rows, "granted page", grant_names[g->kind], g->n);
	}
}

void xen_tally_merge(struct xen_tally *into, const struct xen_tally *from)
{
	const json_t *row;
	const char *id;

	if (!into->rows)
		into->rows = json_object();
	json_object_foreach (from->rows, id, row)
		count_row(into->rows, json_string_value(json_object_get(row, "reason")),
			  json_string_value(json_object_get(row, "key")),
			  json_integer_value(json_object_get(row, "count")));
	into->sums.exits += from->sums.exits;
	into->sums.hypercalls += from->sums.hypercalls;
	into->sums.pio += from->sums.pio;
	into->sums.hlt += from->sums.hlt;
}

json_t *xen_tally_rows(const struct xen_tally *y)
{
	return rows_list(y->rows);
}

void xen_tally_free(struct xen_tally *y)
{
	json_decref(y->rows);
	*y = (struct xen_tally){.rows = NULL};
}

json_t *xen_totals_json(const struct xen_sums *s)
{
	return json_pack("{s:I, s:i, s:i, s:I, s:i, s:I, s:I, s:i, s:i, s:i}", "exits", s->exits, "untraced",
			 0, "fast", 0, "pio", s->pio, "mmio", 0, "hlt", s->hlt, "hypercalls", s->hypercalls,
			 "injected", 0, "userspace_exits", 0, "guest_ns", 0);
}

/* Between two edges, without them. */
static json_t *part_json(const struct xen_trace *t, const struct marks *m, size_t edge, size_t next)
{
	struct xen_tally y = {.rows = json_object(), .place = m->place};
	json_t *out;

	for (size_t i = edge + 1; i < next; i++)
		xen_tally_add(&y, t, &t->event[i]);
	out = json_pack("{s:o, s:I}", "exits", rows_list(y.rows), "hypercalls", y.sums.hypercalls);
	json_decref(y.rows);
	return out;
}

static json_t *parts_json(const struct xen_trace *t, const struct marks *m)
{
	json_t *parts = json_array();

	for (size_t i = 0; i + 1 < m->n_laps; i += 2)
		json_array_append_new(parts, part_json(t, m, m->lap[i], m->lap[i + 1]));
	return parts;
}

static bool is_within(const struct xen_trace *t, const struct marks *m, const struct xen_grant *g)
{
	return m->found && g->tsc > t->event[m->open].tsc && g->tsc <= t->event[m->close].tsc;
}

/* Of a domain that grants any pages at all. They have rows, and are none of the domain's exits. */
static void add_grants(json_t *out, json_t *rows, const struct xen_trace *t, const struct marks *m)
{
	json_int_t n[XEN_GRANT_KINDS] = {0};

	for (size_t i = 0; i < t->n_grants; i++)
		if (is_within(t, m, &t->grant[i]))
			n[t->grant[i].kind] += t->grant[i].n;
	for (size_t k = 0; k < XEN_GRANT_KINDS; k++)
		if (n[k])
			count_row(rows, "granted page", grant_names[k], n[k]);
	if (n[XEN_GRANT_MAP] || n[XEN_GRANT_COPY])
		json_object_set_new(out, "grants", json_pack("{s:I, s:I}", "maps", n[XEN_GRANT_MAP], "copies",
							     n[XEN_GRANT_COPY]));
}

/* Processors exit, and of a PV domain none does. */
static const char *backend_of(const struct xen_trace *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->event[i].kind == XEN_EXIT)
			return PROBED_XEN_HVM;
	return PROBED_XEN_PV;
}

json_t *xen_trace_json(const struct xen_trace *t, const struct xen_parts *parts)
{
	json_t *laps = json_array(), *out;
	struct xen_tally y = {.rows = json_object()};
	struct marks m = {.found = false};
	size_t lap = 0;

	find_by_value(t, &m);
	if (!m.found)
		m.n_laps = 0;
	if (!m.found)
		find_by_order(t, parts, &m);
	y.place = m.place;
	/* An edge is itself an exit, counted up to it; the one that opens is before the window. */
	for (size_t i = m.open + 1; m.found && i <= m.close; i++) {
		xen_tally_add(&y, t, &t->event[i]);
		if (lap < m.n_laps && m.lap[lap] == i) {
			json_array_append_new(laps, json_integer(y.sums.exits));
			lap++;
		}
	}
	out = json_pack("{s:s, s:{s:b, s:b, s:i, s:i}, s:o, s:o, s:o, s:I}", "backend", backend_of(t),
			"window", "opened", m.found, "closed", m.found, "open_ns", 0, "close_ns", 0, "totals",
			xen_totals_json(&y.sums), "laps", laps, "parts", parts_json(t, &m), "lost",
			(json_int_t)t->lost);
	add_grants(out, y.rows, t, &m);
	json_object_set_new(out, "exits", rows_list(y.rows));
	json_decref(y.rows);
	free(m.lap);
	return out;
}
