// SPDX-License-Identifier: MIT
/* What a reader should know before trusting the numbers. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/report.h"
#include "results/record.h"

struct list {
	struct doc *d;
	size_t n;
};

static void add_note(struct list *l, const char *fmt, ...) PRINTF(2, 3);
static void add_note(struct list *l, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!l->n++)
		doc_item_begin(l->d);
	doc_item(l->d, text);
}

static void failed_samples(struct list *l, const json_t *rec, const char *label)
{
	const json_t *samples = record_of(rec).samples;
	struct record_sample s;

	for (size_t i = 0; record_sample(samples, i, &s); i++)
		if (!s.ok)
			add_note(l, "%s: sample %zu failed and is left out: %s", label, i, s.error);
}

static void failed_checks(struct list *l, const json_t *rec, const char *label)
{
	const json_t *checks = record_of(rec).checks;
	struct record_check c;

	for (size_t i = 0; record_check(checks, i, &c); i++)
		if (!c.ok)
			add_note(l, "%s: check %s failed: %s", label, c.name, c.detail);
}

static void tagged_samples(struct list *l, const json_t *rec, const char *label)
{
	const json_t *samples = record_of(rec).samples;
	struct record_sample s;
	const char *tag;

	for (size_t i = 0; record_sample(samples, i, &s); i++)
		for (size_t k = 0; record_text(s.tags, k, &tag); k++)
			add_note(l, "%s: sample %zu is marked %s", label, i, tag);
}

static void odd_builds(struct list *l, const json_t *rec, const char *label)
{
	const json_t *inputs = record_of(rec).inputs;
	struct record_input in;

	for (size_t i = 0; record_input(inputs, i, &in); i++)
		if (!strcmp(in.build, "debug") || !strcmp(in.build, "asan"))
			add_note(l, "%s: %s is a %s build: its times say nothing about a release",
			     label, in.name, in.build);
}

static void odd_samples(struct list *l, const json_t *rec, const char *label)
{
	double pct = record_of(rec).overhead_pct;

	if (record_ok_samples(rec) < STATS_MIN_N)
		add_note(l, "%s: n = %zu is too few boots for an interval; %d or more give one", label,
		     record_ok_samples(rec), STATS_MIN_N);
	if (pct > 5)
		add_note(l, "%s: the probes themselves took %.1f %% of the CPU", label, pct);
	for (const struct metric_info *m = metric_table; m->name; m++) {
		size_t n;
		double *x = record_values(rec, m->name, &n);

		if (n >= STATS_MIN_N && stats_bimodal(x, n))
			add_note(l, "%s: %s has two modes over its boots; a median hides that", label,
			     m->name);
		free(x);
	}
}

static void different_machines(struct list *l, const struct fig_set *set, size_t i)
{
	struct record_environment a = record_environment_of(set->rec[0]);
	struct record_environment b = record_environment_of(set->rec[i]);
	const struct {
		const char *name, *a, *b;
	} facts[] = {{"cpu", a.cpu, b.cpu},
		     {"kernel", a.kernel, b.kernel},
		     {"microcode", a.microcode, b.microcode},
		     {"governor", a.governor, b.governor},
		     {"smt", a.smt, b.smt},
		     {"no_turbo", a.no_turbo, b.no_turbo}};

	for (size_t f = 0; f < ARRAY_SIZE(facts); f++)
		if (strcmp(facts[f].a, facts[f].b) != 0)
			add_note(l, "runs %s and %s differ in %s: %s, %s", record_of(set->rec[0]).id,
			     record_of(set->rec[i]).id, facts[f].name, facts[f].a, facts[f].b);
}

size_t report_anomalies(struct doc *d, const struct fig_set *set)
{
	static void (*const looks[])(struct list *, const json_t *, const char *) = {
		failed_samples, failed_checks, tagged_samples, odd_builds, odd_samples,
	};
	struct list l = {d, 0};

	for (size_t i = 0; i < set->n; i++) {
		char *label = fig_label(set, i, NULL);

		for (size_t k = 0; k < ARRAY_SIZE(looks); k++)
			looks[k](&l, set->rec[i], label);
		free(label);
	}
	for (size_t i = 1; i < set->n; i++)
		different_machines(&l, set, i);
	if (l.n)
		doc_item_end(d);
	return l.n;
}
