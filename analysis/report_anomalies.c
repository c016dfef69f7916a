// SPDX-License-Identifier: MIT
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/report.h"
#include "analysis/view.h"
#include "results/record.h"

struct list {
	struct doc *d;
	size_t n;
};

static void note(struct list *l, const char *fmt, ...) PRINTF(2, 3);
static void note(struct list *l, const char *fmt, ...)
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
	const json_t *s;
	size_t i;

	json_array_foreach (json_object_get(rec, "samples"), i, s)
		if (!json_is_true(json_object_get(s, "ok")))
			note(l, "%s: sample %zu failed and is left out: %s", label, i,
			     view_str(s, "error"));
}

static void failed_checks(struct list *l, const json_t *rec, const char *label)
{
	const json_t *c;
	size_t i;

	json_array_foreach (json_object_get(rec, "checks"), i, c)
		if (!json_is_true(json_object_get(c, "ok")))
			note(l, "%s: check %s failed: %s", label, view_str(c, "name"),
			     view_str(c, "detail"));
}

static void tagged_samples(struct list *l, const json_t *rec, const char *label)
{
	const json_t *s, *tag;
	size_t i, k;

	json_array_foreach (json_object_get(rec, "samples"), i, s)
		json_array_foreach (json_object_get(s, "tags"), k, tag)
			note(l, "%s: sample %zu is marked %s", label, i,
			     json_string_value(tag) ? json_string_value(tag) : "?");
}

static void odd_builds(struct list *l, const json_t *rec, const char *label)
{
	const json_t *in;
	size_t i;

	json_array_foreach (json_object_get(rec, "inputs"), i, in) {
		const char *build = view_str(in, "build");

		if (!strcmp(build, "debug") || !strcmp(build, "asan"))
			note(l, "%s: %s is a %s build: its times say nothing about a release",
			     label, view_str(in, "name"), build);
	}
}

static void odd_samples(struct list *l, const json_t *rec, const char *label)
{
	double pct = json_number_value(json_object_get(rec, "overhead_pct"));

	if (view_n(rec) < STATS_MIN_N)
		note(l, "%s: n = %zu is too few boots for an interval; %d or more give one", label,
		     view_n(rec), STATS_MIN_N);
	if (pct > 5)
		note(l, "%s: the probes themselves took %.1f %% of the CPU", label, pct);
	for (const struct metric_info *m = metric_table; m->name; m++) {
		double *x;
		size_t n = view_samples(rec, m->name, &x);

		if (n >= STATS_MIN_N && stats_bimodal(x, n))
			note(l, "%s: %s has two modes over its boots; a median hides that", label,
			     m->name);
		free(x);
	}
}

static void different_machines(struct list *l, const struct fig_set *set)
{
	static const char *const facts[] = {"cpu",	"kernel", "microcode",
					    "governor", "smt",	  "turbo"};

	for (size_t f = 0; f < ARRAY_SIZE(facts); f++)
		for (size_t i = 1; i < set->n; i++)
			if (strcmp(view_env(set->rec[0], facts[f]),
				   view_env(set->rec[i], facts[f])))
				note(l, "runs %s and %s differ in %s: %s, %s",
				     view_str(set->rec[0], "id"), view_str(set->rec[i], "id"),
				     facts[f], view_env(set->rec[0], facts[f]),
				     view_env(set->rec[i], facts[f]));
}

static void noise(struct list *l, const json_t *rec, const char *label)
{
	const json_t *flags = json_object_get(json_object_get(rec, "environment"), "noise"), *v;
	size_t i;

	json_array_foreach (flags, i, v)
		if (json_is_string(v))
			note(l, "%s: noise on the machine: %s", label, json_string_value(v));
}

size_t report_anomalies(struct doc *d, const struct fig_set *set)
{
	static void (*const looks[])(struct list *, const json_t *, const char *) = {
		failed_samples, failed_checks, tagged_samples, odd_builds, odd_samples, noise,
	};
	struct list l = {d, 0};

	for (size_t i = 0; i < set->n; i++) {
		char *label = fig_label(set, i, NULL);

		for (size_t k = 0; k < ARRAY_SIZE(looks); k++)
			looks[k](&l, set->rec[i], label);
		free(label);
	}
	different_machines(&l, set);
	if (l.n)
		doc_item_end(d);
	return l.n;
}
