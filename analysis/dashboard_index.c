// SPDX-License-Identifier: MIT
/* The overview: cards with sparklines, by workload. Readable without scripts; the script adds
 * filters and keys. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "analysis/assets.h"
#include "analysis/dashboard.h"
#include "analysis/page.h"
#include "analysis/report.h"
#include "base/clock.h"

#define SPARK_RUNS 120
#define SPARK_W	   240.0
#define SPARK_H	   36.0

static void add_spark(struct strbuf *sb, const struct dash_series *s)
{
	size_t first = s->n > SPARK_RUNS ? s->n - SPARK_RUNS : 0, n = s->n - first;
	double low = INFINITY, high = -INFINITY, step = n > 1 ? SPARK_W / (double)(n - 1) : 0;

	for (size_t i = first; i < s->n; i++) {
		low = fmin(low, s->p[i].median);
		high = fmax(high, s->p[i].median);
	}
	if (high <= low)
		high = low + 1;
	strbuf_addf(
		sb,
		"<svg class=\"spark\" viewBox=\"-2 -2 %.0f %.0f\" preserveAspectRatio=\"none\" "
		"aria-hidden=\"true\"><path d=\"",
		SPARK_W + 4, SPARK_H + 4);
	for (size_t i = 0; i < n; i++)
		strbuf_addf(sb, "%c%.1f,%.1f", i ? 'L' : 'M', (double)i * step,
			    SPARK_H * (1 - (s->p[first + i].median - low) / (high - low)));
	strbuf_adds(sb, "\"/>");
	for (size_t i = 0; i < s->changes; i++)
		if (s->change[i].at >= first)
			strbuf_addf(sb, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"0\" y2=\"%.0f\"/>",
				    (double)(s->change[i].at - first) * step,
				    (double)(s->change[i].at - first) * step, SPARK_H);
	strbuf_adds(sb, "</svg>");
}

/* What the filter looks in: lower case, since people type so. */
static char *search_text(const struct dash_series *s)
{
	char *text = xasprintf("%s %s %s %s ", s->config->workload, s->title, s->name,
			       dash_verdict_class[s->verdict]);

	for (char *p = text; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return text;
}

static void add_card(struct strbuf *sb, const struct dash_series *s)
{
	char value[64], *search = search_text(s);
	struct strbuf spark = STRBUF_INIT;

	report_value(s->metric->unit, s->p[s->n - 1].median, value, sizeof(value));
	add_spark(&spark, s);
	page_add(sb, asset_dashboard_html, "card", "verdict", dash_verdict_class[s->verdict], "search",
		 search, "machine", s->config->machine, "page", s->page, "title", s->title, "name", s->name,
		 "value", value, "spark", strbuf_str(&spark), "comment", s->comment, NULL);
	strbuf_free(&spark);
	free(search);
}

static void add_filters(struct strbuf *sb, const struct dash *d)
{
	size_t count[DASH_VERDICTS] = {0};

	for (size_t i = 0; i < d->n; i++)
		count[d->series[i].verdict]++;
	for (size_t v = 0; v < DASH_VERDICTS; v++) {
		char text[24];

		if (!count[v])
			continue;
		snprintf(text, sizeof(text), "%zu", count[v]);
		page_add(sb, asset_dashboard_html, "filter", "verdict", dash_verdict_class[v], "name",
			 v == DASH_FEW ? "too few" : dash_verdict_class[v], "count", text, NULL);
	}
}

/* Caller frees. */
static char *alarms_text(const struct dash *d)
{
	if (!d->aa_pairs)
		return xstrdup("Own false-alarm rate: unknown; the same programs were not run twice in a row (A/A).");
	return xasprintf("Own false-alarm rate: %zu of the newest %zu pairs of consecutive runs of the same programs "
			 "(A/A) look worse to the gate's screening (%.2g %%); its confirmation is to take them away.",
			 d->aa_alarms, d->aa_pairs, 100.0 * (double)d->aa_alarms / (double)d->aa_pairs);
}

static int by_place(const void *a, const void *b)
{
	const struct dash_series *s = *(const struct dash_series *const *)a,
				 *t = *(const struct dash_series *const *)b;
	int c = strcmp(s->config->workload, t->config->workload);

	if (!c)
		c = strcmp(s->title, t->title);
	if (!c)
		c = (s->metric > t->metric) - (s->metric < t->metric);
	if (c)
		return c;
	return strcmp(s->name, t->name);
}

static void add_sections(struct strbuf *sb, const struct dash *d)
{
	const struct dash_series **order = xcalloc(d->n + 1, sizeof(*order));
	const char *workload = NULL;

	for (size_t i = 0; i < d->n; i++)
		order[i] = &d->series[i];
	qsort(order, d->n, sizeof(*order), by_place);
	for (size_t i = 0; i < d->n; i++) {
		if (!workload || strcmp(workload, order[i]->config->workload) != 0) {
			if (workload)
				page_add(sb, asset_dashboard_html, "section_end", NULL);
			workload = order[i]->config->workload;
			page_add(sb, asset_dashboard_html, "section", "workload", workload, NULL);
		}
		add_card(sb, order[i]);
	}
	page_add(sb, asset_dashboard_html, workload ? "section_end" : "empty", NULL);
	free(order);
}

/* One is not chosen among. */
static void add_machine_choice(struct strbuf *sb, const struct dash *d)
{
	struct strbuf options = STRBUF_INIT;

	for (size_t i = 0; i < d->machines; i++)
		page_add(&options, asset_dashboard_html, "option", "name", d->machine[i].name, NULL);
	if (d->machines > 1)
		page_add(sb, asset_dashboard_html, "choice", "options", strbuf_str(&options), NULL);
	strbuf_free(&options);
}

void dash_index_html(const struct dash *d, struct strbuf *sb)
{
	struct strbuf filters = STRBUF_INIT, sections = STRBUF_INIT, machines = STRBUF_INIT,
		      choice = STRBUF_INIT;
	char now[32], series[24], runs[24], recent[24], *alarms = alarms_text(d);

	clock_iso8601(time(NULL), now, sizeof(now));
	snprintf(series, sizeof(series), "%zu", d->n);
	snprintf(runs, sizeof(runs), "%zu", d->rows);
	snprintf(recent, sizeof(recent), "%d", SPARK_RUNS);
	add_filters(&filters, d);
	add_sections(&sections, d);
	dash_machines_table(d, &machines);
	add_machine_choice(&choice, d);
	page_add(sb, asset_dashboard_html, "index", "built", now, "series", series, "runs", runs, "recent",
		 recent, "alarms", alarms, "machines", strbuf_str(&machines), "choice", strbuf_str(&choice),
		 "filters", strbuf_str(&filters), "sections", strbuf_str(&sections), NULL);
	strbuf_free(&filters);
	strbuf_free(&sections);
	strbuf_free(&machines);
	strbuf_free(&choice);
	free(alarms);
}
