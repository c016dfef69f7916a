// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/budget.h"
#include "base/util.h"
#include "results/record.h"

#define KINDS_SHOWN 6 /* of exits; the others are one row */
#define OTHERS	    "exits in KVM: others"

/* One boot's unit, and how many there were: what its CPU time was shared among. */
static double units_of(const struct record_sample *s, const char **unit)
{
	static const struct {
		const char *metric, *unit;
	} known[] = {{"cpu_ns_per_packet", "packet"}, {"cpu_ns_per_io", "io"}};
	struct record_thread t;
	double each, cpu_ns = 0;

	for (size_t i = 0; record_thread(s->threads, i, &t); i++)
		if (strcmp(t.role, "peer") != 0)
			cpu_ns += t.cpu_ns;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (!record_value(s, known[i].metric, &each) || each <= 0)
			continue;
		*unit = known[i].unit;
		return cpu_ns / each;
	}
	return 0;
}

/* The row of this name, or a new one; the last takes what has no place. */
static struct budget_row *row_named(struct budget *b, const char *part)
{
	for (size_t i = 0; i < b->n; i++)
		if (!strcmp(b->row[i].part, part))
			return &b->row[i];
	if (b->n < BUDGET_ROWS)
		b->n++;
	else
		part = OTHERS;
	snprintf(b->row[b->n - 1].part, sizeof(b->row[0].part), "%s", part);
	return &b->row[b->n - 1];
}

static void add_to(struct budget *b, const char *part, double times, double ns)
{
	struct budget_row *r = row_named(b, part);

	r->times += times;
	r->ns += ns;
}

/* KVM's own part of each reason; the rest of an exit is the VMM's. */
static void add_kinds(struct budget *kinds, const json_t *exits, double units)
{
	struct record_exit e;
	char part[64];

	for (size_t i = 0; record_exit(exits, i, &e); i++) {
		snprintf(part, sizeof(part), "exits in KVM: %s", e.reason);
		add_to(kinds, part, e.count / units, (e.kvm_ns + e.kvm_fast_ns) / units);
	}
}

static void add_vcpus(struct budget *b, const json_t *exits, double units)
{
	double guest_ns = 0, user_ns = 0, user = 0;
	struct record_exit e;

	for (size_t i = 0; record_exit(exits, i, &e); i++) {
		guest_ns += e.guest_ns;
		user_ns += e.user_ns;
		user += e.user_count;
	}
	add_to(b, "the guest's own work", 0, guest_ns / units);
	add_to(b, "exits in the VMM", user / units, user_ns / units);
}

static const char *thread_part(const char *role)
{
	static const struct {
		const char *role, *part;
	} parts[] = {
		{"io", "I/O threads"},
		{"vhost", "vhost workers"},
		{"backend", "the back end"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (!strcmp(role, parts[i].role))
			return parts[i].part;
	return "other threads";
}

static void add_servers(struct budget *b, const json_t *threads, double units)
{
	struct record_thread t;

	for (size_t i = 0; record_thread(threads, i, &t); i++) {
		if (!strcmp(t.role, "peer")) {
			b->peer_ns += t.cpu_ns / units;
			continue;
		}
		b->measured_ns += t.cpu_ns / units;
		if (strcmp(t.role, "vcpu") != 0)
			add_to(b, thread_part(t.role), t.switches / units, t.cpu_ns / units);
	}
}

static int by_cost(const void *a, const void *b)
{
	const struct budget_row *x = a, *y = b;

	return (x->ns < y->ns) - (x->ns > y->ns);
}

/* Behind the guest's work, which is the first row: the dearest kinds, and the rest as one. */
static void insert_kinds(struct budget *b, struct budget *kinds)
{
	size_t shown, after = b->n - 1;

	qsort(kinds->row, kinds->n, sizeof(kinds->row[0]), by_cost);
	for (size_t i = KINDS_SHOWN; i < kinds->n; i++) {
		kinds->row[KINDS_SHOWN - 1].times += kinds->row[i].times;
		kinds->row[KINDS_SHOWN - 1].ns += kinds->row[i].ns;
		snprintf(kinds->row[KINDS_SHOWN - 1].part, sizeof(kinds->row[0].part), OTHERS);
	}
	shown = MIN(kinds->n, (size_t)KINDS_SHOWN);
	memmove(b->row + 1 + shown, b->row + 1, after * sizeof(b->row[0]));
	memcpy(b->row + 1, kinds->row, shown * sizeof(b->row[0]));
	b->n += shown;
}

bool budget_of(const json_t *rec, struct budget *b)
{
	const json_t *samples = record_of(rec).samples;
	struct budget kinds = {0};
	struct record_sample s;

	memset(b, 0, sizeof(*b));
	for (size_t i = 0; record_sample(samples, i, &s); i++) {
		double units = s.ok && json_array_size(s.exits) ? units_of(&s, &b->unit) : 0;

		if (units <= 0)
			continue;
		add_vcpus(b, s.exits, units);
		add_kinds(&kinds, s.exits, units);
		add_servers(b, s.threads, units);
		b->boots++;
	}
	if (!b->boots)
		return false;
	insert_kinds(b, &kinds);
	b->measured_ns /= (double)b->boots;
	b->peer_ns /= (double)b->boots;
	for (size_t i = 0; i < b->n; i++) {
		b->row[i].times /= (double)b->boots;
		b->row[i].ns /= (double)b->boots;
		b->sum_ns += b->row[i].ns;
	}
	return true;
}

double budget_excess(const struct budget *b)
{
	return 100 * (b->sum_ns / b->measured_ns - 1);
}

json_t *budget_json(const struct budget *b)
{
	json_t *parts = json_array();

	for (size_t i = 0; i < b->n; i++)
		json_array_append_new(parts, json_pack("{s:s, s:f, s:f}", "part", b->row[i].part, "times",
						       b->row[i].times, "ns", b->row[i].ns));
	return json_pack("{s:s, s:I, s:f, s:f, s:f, s:f, s:o}", "unit", b->unit, "boots",
			 (json_int_t)b->boots, "sum_ns", b->sum_ns, "measured_ns", b->measured_ns, "peer_ns",
			 b->peer_ns, "excess_pct", budget_excess(b), "parts", parts);
}
