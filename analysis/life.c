// SPDX-License-Identifier: MIT
#include "analysis/life.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"

static const char *const lanes[LIFE_LANES] = {"guest", "kvm", "vmm", "kernel", "peer", "other"};
const char *const life_lane_titles[LIFE_LANES] = {"guest", "KVM", "VMM", "kernel", "peer", "other"};

size_t life_lane(const char *name)
{
	size_t i = 0;

	while (i + 1 < LIFE_LANES && strcmp(lanes[i], name))
		i++;
	return i;
}

bool life_find(const json_t *rec, struct record_sample *s, struct record_life *life, const char **why)
{
	const json_t *samples = record_of(rec).samples;

	*why = "no good boot was watched with --set observer=life";
	for (size_t i = 0; record_sample(samples, i, s); i++) {
		if (!s->ok || !s->life)
			continue;
		*life = record_life_of(s);
		if (json_array_size(life->steps))
			return true;
		*why = life->missing;
	}
	return false;
}

struct life_check life_check(const struct record_sample *s, const struct record_life *life)
{
	struct life_check c = {.measured_ns = NAN};
	struct record_step step;

	for (size_t i = 0; record_step(life->steps, i, &step); i++)
		c.sum_ns += step.ns;
	record_value(s, "latency_ns", &c.measured_ns);
	c.within = fabs(c.sum_ns / c.measured_ns - 1) <= LIFE_TOLERANCE;
	return c;
}

char *life_cell(const json_t *rec)
{
	static const char observer[] = " observer=life";
	char *cell = xstrdup(record_plan_of(rec).cell), *at = strstr(cell, observer);

	if (at)
		memmove(at, at + strlen(observer), strlen(at + strlen(observer)) + 1);
	return cell;
}

/* ---- text ---- */

static const char *part_title(const char *part)
{
	static const char *const table[][2] = {
		{"request", "the request, to the other end"},
		{"peer", "at the peer"},
		{"medium", "in the host's kernel"},
		{"answer", "the answer, to the guest"},
		{"guest", "in the guest, until its next doorbell"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (!strcmp(table[i][0], part))
			return table[i][1];
	return part;
}

static void print_part(struct table *t, const char *part)
{
	table_cell(t, "%s", "");
	table_cell(t, "%s:", part_title(part));
	for (int i = 0; i < 4; i++)
		table_cell(t, "%s", "");
}

static void print_step(struct table *t, size_t number, const struct record_step *s)
{
	table_cell(t, "%zu", number);
	table_cell(t, "  %s%s", s->what, text_if(s->waits, " *"));
	table_cell(t, "%s", s->who);
	table_cell(t, "%s", life_lane_titles[life_lane(s->lane)]);
	table_cell(t, "%.0f", s->ns);
	table_cell(t, "%.0f", s->at_ns + s->ns);
}

static void print_lanes(const struct record_life *life, double sum_ns, FILE *out)
{
	double ns[LIFE_LANES] = {0}, waits = 0;
	const char *sep = "";
	struct record_step s;

	for (size_t i = 0; record_step(life->steps, i, &s); i++) {
		ns[life_lane(s.lane)] += s.ns;
		if (s.waits)
			waits += s.ns;
	}
	for (size_t i = 0; i < LIFE_LANES; i++) {
		if (ns[i] == 0)
			continue;
		fprintf(out, "%s%s %s (%.0f %%)", sep, life_lane_titles[i], fmt_ns(ns[i]),
			100 * ns[i] / sum_ns);
		sep = ", ";
	}
	fprintf(out, "\n* it waits meanwhile: %s\n", fmt_ns(waits));
}

static void print_check(const struct record_sample *s, const struct record_life *life, FILE *out)
{
	struct life_check c = life_check(s, life);
	const char *verdict = c.within ? "within" : "NOT within";

	fprintf(out, "sum %s; the guest measured a median of %s in the same boot: %+.1f %%, %s %.0f %%\n",
		fmt_ns(c.sum_ns), fmt_ns(c.measured_ns), 100 * (c.sum_ns / c.measured_ns - 1), verdict,
		100 * LIFE_TOLERANCE);
	fprintf(out, "the median of %lld trips; transactions without a clear one: %lld; events: %lld, dropped: %lld\n",
		(long long)life->trips, (long long)life->unclear, (long long)life->events,
		(long long)life->dropped);
}

static const char *life_subject(const struct record *r)
{
	if (!strncmp(r->workload, "blk-", 4))
		return "request";
	return "packet";
}

void life_print(const json_t *rec, const struct record_sample *s, const struct record_life *life, FILE *out)
{
	struct table *t = table_new(6, ":#", "step:", "who:", "whose time:", ":ns", ":since the doorbell");
	struct record r = record_of(rec);
	const char *part = "";
	struct record_step step;
	char *cell = life_cell(rec);
	double sum_ns = 0;

	fprintf(out, "the life of one %s: %s, %s (%s, times %s)\n\n", life_subject(&r), cell, r.workload,
		r.substrate, r.time_base);
	free(cell);
	for (size_t i = 0; record_step(life->steps, i, &step); i++) {
		if (strcmp(step.part, part))
			print_part(t, step.part);
		part = step.part;
		print_step(t, i + 1, &step);
		sum_ns += step.ns;
	}
	table_print(t, out);
	fputc('\n', out);
	print_lanes(life, sum_ns, out);
	print_check(s, life, out);
}

json_t *life_json(const json_t *rec, const struct record_sample *s, const struct record_life *life)
{
	struct life_check c = life_check(s, life);
	struct record r = record_of(rec);

	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:f,s:o,s:b,s:O}", "run", r.id, "mode", r.mode, "vmm", r.vmm,
			 "substrate", r.substrate, "time_base", r.time_base, "sum_ns", c.sum_ns,
			 "measured_ns", json_real_or_null(c.measured_ns), "within", c.within, "life",
			 s->life);
}
