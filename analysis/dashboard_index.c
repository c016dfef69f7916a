// SPDX-License-Identifier: MIT
/* The overview: cards with sparklines, by workload. Readable without scripts; the script adds
 * filters and keys. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "analysis/dashboard.h"
#include "analysis/report.h"
#include "base/clock.h"

#define SPARK_RUNS 120
#define SPARK_W	   240.0
#define SPARK_H	   36.0

void dash_html(struct strbuf *sb, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			strbuf_adds(sb, "&lt;");
			break;
		case '>':
			strbuf_adds(sb, "&gt;");
			break;
		case '&':
			strbuf_adds(sb, "&amp;");
			break;
		case '"':
			strbuf_adds(sb, "&quot;");
			break;
		default:
			strbuf_addc(sb, *text);
		}
	}
}

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

static void add_lower(struct strbuf *sb, const char *text)
{
	char *copy = xstrdup(text);

	for (char *p = copy; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	dash_html(sb, copy);
	strbuf_addc(sb, ' ');
	free(copy);
}

static void add_card(struct strbuf *sb, const struct dash_series *s)
{
	char value[64];

	report_value(s->metric->unit, s->p[s->n - 1].median, value, sizeof(value));
	strbuf_addf(sb, "<a class=\"card %s\" data-verdict=\"%s\" data-text=\"",
		    dash_verdict_class[s->verdict], dash_verdict_class[s->verdict]);
	add_lower(sb, s->config->workload);
	add_lower(sb, s->title);
	add_lower(sb, s->name);
	add_lower(sb, dash_verdict_class[s->verdict]);
	strbuf_adds(sb, "\" href=\"s/");
	dash_html(sb, s->page);
	strbuf_adds(sb, "\"><div class=\"name\">");
	dash_html(sb, s->title);
	strbuf_adds(sb, "</div><div class=\"row\"><span class=\"dim\">");
	dash_html(sb, s->name);
	strbuf_adds(sb, "</span><span class=\"value\">");
	dash_html(sb, value);
	strbuf_adds(sb, "</span></div>");
	add_spark(sb, s);
	strbuf_adds(sb, "<div class=\"verdict\">");
	dash_html(sb, s->comment);
	strbuf_adds(sb, "</div></a>\n");
}

static void add_filters(struct strbuf *sb, const struct dash *d)
{
	size_t count[DASH_VERDICTS] = {0};

	for (size_t i = 0; i < d->n; i++)
		count[d->series[i].verdict]++;
	strbuf_addf(
		sb,
		"<div class=\"bar\" role=\"group\" aria-label=\"Filter\"><button data-want=\"all\" "
		"aria-pressed=\"true\">all %zu</button>",
		d->n);
	for (size_t v = 0; v < DASH_VERDICTS; v++)
		if (count[v])
			strbuf_addf(
				sb,
				"<button data-want=\"%s\" aria-pressed=\"false\">%s %zu</button>",
				dash_verdict_class[v],
				v == DASH_FEW ? "too few" : dash_verdict_class[v], count[v]);
	strbuf_adds(
		sb,
		"<input id=\"search\" type=\"search\" placeholder=\"filter: vhost exits\" "
		"aria-label=\"Filter by text\">"
		"<span id=\"shown\" class=\"dim\" role=\"status\"></span></div>\n");
}

static void add_facts(struct strbuf *sb, const struct dash *d)
{
	size_t runs = d->rows;

	strbuf_addf(sb, "<p class=\"dim\">%zu series of %zu runs. ", d->n, runs);
	if (d->aa_pairs)
		strbuf_addf(
			sb,
			"Own false-alarm rate: %zu of %zu pairs of consecutive runs of one build "
			"(A/A) differ by more than "
			"their intervals and 1 %%: %.2g %%.",
			d->aa_alarms, d->aa_pairs,
			100.0 * (double)d->aa_alarms / (double)d->aa_pairs);
	else
		strbuf_adds(
			sb,
			"Own false-alarm rate: unknown; no build of a clean checkout was run twice "
			"in a row with 6 boots or more (A/A).");
	strbuf_adds(sb, "</p>\n");
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
	return c ? c : strcmp(s->name, t->name);
}

void dash_index_html(const struct dash *d, struct strbuf *sb)
{
	const struct dash_series **order = xcalloc(d->n + 1, sizeof(*order));
	const char *workload = NULL;
	char now[32];

	for (size_t i = 0; i < d->n; i++)
		order[i] = &d->series[i];
	qsort(order, d->n, sizeof(*order), by_place);
	clock_iso8601(time(NULL), now, sizeof(now));
	strbuf_addf(
		sb,
		"<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<title>Exitlab nightly</title>\n"
		"<link rel=\"icon\" href=\"data:,\">\n<link rel=\"stylesheet\" "
		"href=\"dashboard.css\">\n</head>\n<body>\n"
		"<header><h1>Exitlab nightly</h1><span class=\"dim\">built %s</span>"
		"<button id=\"theme\" class=\"push\">Theme</button></header>\n<main>\n",
		now);
	add_facts(sb, d);
	add_filters(sb, d);
	for (size_t i = 0; i < d->n; i++) {
		if (!workload || strcmp(workload, order[i]->config->workload)) {
			strbuf_adds(sb, workload ? "</div></section>\n" : "");
			workload = order[i]->config->workload;
			strbuf_adds(sb, "<section><h2>");
			dash_html(sb, workload);
			strbuf_adds(sb, "</h2><div class=\"cards\">\n");
		}
		add_card(sb, order[i]);
	}
	strbuf_adds(
		sb,
		workload
			? "</div></section>\n"
			: "<p>No runs yet: <code>bench run</code> or <code>bench nightly</code> fills this page.</p>\n");
	strbuf_addf(
		sb,
		"</main>\n<footer>Sparklines: the last %d runs, dashed where the level changed. "
		"Keys: <kbd>j</kbd> <kbd>k</kbd> move, "
		"<kbd>Enter</kbd> open, <kbd>/</kbd> filter, <kbd>t</kbd> theme.</footer>\n"
		"<script src=\"dashboard.js\"></script>\n</body>\n</html>\n",
		SPARK_RUNS);
	free(order);
}
