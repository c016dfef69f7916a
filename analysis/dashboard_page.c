// SPDX-License-Identifier: MIT
/* The page of one series: data as JSON for the script, tables for everyone. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/dashboard.h"
#include "analysis/report.h"
#include "analysis/stats.h"

#define LATEST 20

/* Why the level at this point was accepted; "" when nobody said. Caller frees. */
static char *reason_of(const struct dash *d, const struct dash_series *s, size_t i)
{
	char *path = xasprintf("%s/%s/accepted.json", d->runs_dir, s->p[i].id), *why;
	json_t *marks = json_load_file(path, 0, NULL);
	const char *text = json_string_value(json_object_get(marks, s->name));

	why = xstrdup(text ? text : "");
	json_decref(marks);
	free(path);
	return why;
}

/* A JSON string that is safe inside a script element. */
static void add_json(struct strbuf *sb, const char *s)
{
	strbuf_addc(sb, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\' || *s == '<' || (unsigned char)*s < 0x20)
			strbuf_addf(sb, "\\u%04x", (unsigned)*s);
		else
			strbuf_addc(sb, *s);
	}
	strbuf_addc(sb, '"');
}

static void add_number(struct strbuf *sb, double v)
{
	if (isfinite(v))
		strbuf_addf(sb, "%.6g", v);
	else
		strbuf_adds(sb, "null");
}

enum column { TIME, VALUE, LOW, HIGH, COUNT, ID };

static void add_column(struct strbuf *sb, const char *name, const struct dash_series *s,
		       enum column column)
{
	strbuf_addf(sb, ",\n\"%s\":[", name);
	for (size_t i = 0; i < s->n; i++) {
		const struct series_point *p = &s->p[i];

		if (i)
			strbuf_addc(sb, ',');
		switch (column) {
		case TIME:
			strbuf_addf(sb, "%lld", (long long)(p->order / 1000));
			break;
		case VALUE:
			add_number(sb, p->median);
			break;
		case LOW:
			add_number(sb, isfinite(p->high) ? p->low : NAN);
			break;
		case HIGH:
			add_number(sb, isfinite(p->low) ? p->high : NAN);
			break;
		case COUNT:
			strbuf_addf(sb, "%d", p->n);
			break;
		case ID:
			add_json(sb, p->id);
			break;
		}
	}
	strbuf_addc(sb, ']');
}

/* Builds are few and points many: an index into a list. */
static void add_versions(struct strbuf *sb, const struct dash *d, const struct dash_series *s)
{
	struct strbuf list = STRBUF_INIT;
	const char *last = NULL;
	size_t n = 0;

	strbuf_adds(sb, ",\n\"ver\":[");
	for (size_t i = 0; i < s->n; i++) {
		const struct run_row *r = dash_run(d, s->p[i].id);
		const char *version = r && *r->version ? r->version : "unknown";

		if (!last || strcmp(last, version)) {
			strbuf_adds(&list, n ? "," : "");
			add_json(&list, version);
			last = version;
			n++;
		}
		strbuf_addf(sb, "%s%zu", i ? "," : "", n - 1);
	}
	strbuf_addf(sb, "],\n\"vers\":[%s]", strbuf_str(&list));
	strbuf_free(&list);
}

static void add_level(struct strbuf *sb, const struct dash_series *s, size_t from, size_t to)
{
	double *v = xcalloc(to - from, sizeof(*v));

	for (size_t i = from; i < to; i++)
		v[i - from] = s->p[i].median;
	add_number(sb, stats_median(v, to - from));
	free(v);
}

static void add_accepted(struct strbuf *sb, const struct dash *d, const struct dash_series *s)
{
	bool comma = false;

	strbuf_adds(sb, ",\n\"acc\":[");
	for (size_t i = 0; i < s->n; i++) {
		char *why;

		if (!s->p[i].accepted)
			continue;
		why = reason_of(d, s, i);
		strbuf_addf(sb, "%s{\"i\":%zu,\"why\":", comma ? "," : "", i);
		add_json(sb, why);
		strbuf_addc(sb, '}');
		comma = true;
		free(why);
	}
	strbuf_addc(sb, ']');
}

static void add_changes(struct strbuf *sb, const struct dash *d, const struct dash_series *s)
{
	strbuf_adds(sb, ",\n\"chg\":[");
	for (size_t i = 0; i < s->changes; i++) {
		strbuf_addf(sb, "%s{\"i\":%zu,\"from\":", i ? "," : "", s->change[i].at);
		add_number(sb, s->change[i].before);
		strbuf_adds(sb, ",\"to\":");
		add_number(sb, s->change[i].after);
		strbuf_addf(sb, ",\"prov\":%s}", s->change[i].provisional ? "true" : "false");
	}
	strbuf_adds(sb, "],\n\"levels\":[");
	for (size_t i = 0; i <= s->changes; i++) {
		strbuf_adds(sb, i ? "," : "");
		add_level(sb, s, i ? s->change[i - 1].at : 0,
			  i < s->changes ? s->change[i].at : s->n);
	}
	strbuf_addc(sb, ']');
	add_accepted(sb, d, s);
}

static void add_mix(struct strbuf *sb, const struct dash_series *s, const struct dash_mix *mix)
{
	strbuf_adds(sb, ",\n\"mix\":{\"names\":[");
	for (size_t r = 0; r < mix->reasons; r++) {
		strbuf_adds(sb, r ? "," : "");
		add_json(sb, mix->name[r]);
	}
	strbuf_adds(sb, "],\"v\":[");
	for (size_t r = 0; r < mix->reasons; r++) {
		strbuf_adds(sb, r ? ",\n[" : "[");
		for (size_t i = 0; i < s->n; i++) {
			strbuf_adds(sb, i ? "," : "");
			add_number(sb, mix->value[r * s->n + i]);
		}
		strbuf_addc(sb, ']');
	}
	strbuf_adds(sb, "]}");
}

static void add_data(struct strbuf *sb, const struct dash *d, const struct dash_series *s,
		     const struct dash_mix *mix)
{
	strbuf_adds(sb, "<script type=\"application/json\" id=\"data\">{\"unit\":");
	add_json(sb, s->metric->unit);
	strbuf_addf(sb, ",\"better\":%d,\"rec\":", s->metric->better);
	add_json(sb, d->store_runs);
	add_column(sb, "t", s, TIME);
	add_column(sb, "v", s, VALUE);
	add_column(sb, "lo", s, LOW);
	add_column(sb, "hi", s, HIGH);
	add_column(sb, "n", s, COUNT);
	add_column(sb, "id", s, ID);
	add_versions(sb, d, s);
	add_changes(sb, d, s);
	if (mix->reasons)
		add_mix(sb, s, mix);
	strbuf_adds(sb, "}</script>\n");
}

static enum dash_verdict kind_of(const struct dash_series *s, const struct dash_change *c)
{
	double d = s->metric->better * (c->after - c->before);

	return d > 0 ? DASH_BETTER : d < 0 ? DASH_WORSE : DASH_CHANGED;
}

static const char *version_at(const struct dash *d, const struct dash_series *s, size_t i)
{
	const struct run_row *r = dash_run(d, s->p[i].id);

	return r && *r->version ? r->version : "unknown";
}

static void add_change_table(struct strbuf *sb, const struct dash *d, const struct dash_series *s)
{
	strbuf_adds(sb, "<h2>Changes of level</h2>\n");
	if (!s->changes) {
		strbuf_adds(sb, "<p class=\"dim\">None found.</p>\n");
		return;
	}
	strbuf_adds(
		sb,
		"<div class=\"wide\"><table><thead><tr><th>first run</th><th "
		"class=\"r\">before</th><th class=\"r\">after</th>"
		"<th class=\"r\">change</th><th>builds</th><th></th></tr></thead><tbody>\n");
	for (size_t i = s->changes; i-- > 0;) {
		const struct dash_change *c = &s->change[i];
		char day[11], before[64], after[64];

		dash_day(&s->p[c->at], day);
		report_value(s->metric->unit, c->before, before, sizeof(before));
		report_value(s->metric->unit, c->after, after, sizeof(after));
		strbuf_addf(
			sb,
			"<tr><td><button data-at=\"%zu\">%s</button></td><td "
			"class=\"r\">%s</td><td class=\"r\">%s</td>"
			"<td class=\"r %s\">%+.2g %%</td><td>",
			c->at, day, before, after, dash_verdict_class[kind_of(s, c)],
			c->before != 0 ? 100 * (c->after / c->before - 1) : INFINITY);
		dash_html(sb, version_at(d, s, c->at ? c->at - 1 : 0));
		strbuf_adds(sb, " → ");
		dash_html(sb, version_at(d, s, c->at));
		strbuf_addf(sb, "</td><td>%s</td></tr>\n", c->provisional ? "provisional" : "");
	}
	strbuf_adds(sb, "</tbody></table></div>\n");
}

static void add_accepted_list(struct strbuf *sb, const struct dash *d, const struct dash_series *s)
{
	for (size_t i = s->n; i-- > 0;) {
		char day[11], *why;

		if (!s->p[i].accepted)
			continue;
		why = reason_of(d, s, i);
		dash_day(&s->p[i], day);
		strbuf_addf(sb, "<p>◆ <button data-at=\"%zu\">%s</button> level accepted: ", i,
			    day);
		dash_html(sb, *why ? why : "no reason given");
		strbuf_adds(sb, "</p>\n");
		free(why);
	}
}

static void add_latest(struct strbuf *sb, const struct dash *d, const struct dash_series *s)
{
	strbuf_adds(
		sb,
		"<h2>Latest runs</h2>\n<div class=\"wide\"><table><thead><tr><th>run</th><th "
		"class=\"r\">median</th>"
		"<th>95 % interval</th><th class=\"r\">n</th><th>build</th></tr></thead><tbody>\n");
	for (size_t k = 0; k < MIN(s->n, (size_t)LATEST); k++) {
		const struct series_point *p = &s->p[s->n - 1 - k];
		char mid[64], low[64], high[64];

		report_value(s->metric->unit, p->median, mid, sizeof(mid));
		report_value(s->metric->unit, p->low, low, sizeof(low));
		report_value(s->metric->unit, p->high, high, sizeof(high));
		strbuf_adds(sb, "<tr><td><a href=\"");
		dash_html(sb, d->store_runs);
		dash_html(sb, p->id);
		strbuf_adds(sb, "/record.json\">");
		dash_html(sb, p->id);
		strbuf_addf(sb, "</a></td><td class=\"r\">%s</td><td>", mid);
		if (isfinite(p->low) && isfinite(p->high))
			strbuf_addf(sb, "[%s, %s]", low, high);
		strbuf_addf(sb, "</td><td class=\"r\">%d</td><td>", p->n);
		dash_html(sb, version_at(d, s, s->n - 1 - k));
		strbuf_adds(sb, "</td></tr>\n");
	}
	strbuf_adds(sb, "</tbody></table></div>\n");
}

static void add_legend(struct strbuf *sb, const struct dash_mix *mix)
{
	strbuf_adds(sb, "<h2>Exits per boot by reason</h2>\n<div class=\"legend\">");
	for (size_t r = 0; r < mix->reasons; r++) {
		strbuf_addf(sb, "<span><i style=\"background:var(--m%zu)\"></i>", r + 1);
		dash_html(sb, mix->name[r]);
		strbuf_adds(sb, "</span>");
	}
	strbuf_adds(
		sb,
		"</div>\n<svg id=\"mix\" role=\"img\" aria-label=\"Exits by reason over time\"></svg>\n");
}

static void add_head(struct strbuf *sb, const struct dash_series *s)
{
	strbuf_adds(
		sb,
		"<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
	dash_html(sb, s->title);
	strbuf_addc(sb, ' ');
	dash_html(sb, s->name);
	strbuf_adds(
		sb,
		"</title>\n<link rel=\"icon\" href=\"data:,\">\n<link rel=\"stylesheet\" "
		"href=\"../dashboard.css\">\n</head>\n<body>\n"
		"<header><a href=\"../index.html\">Overview</a><h1>");
	dash_html(sb, s->config->workload);
	strbuf_adds(sb, ": ");
	dash_html(sb, s->title);
	strbuf_adds(
		sb,
		"</h1><button id=\"theme\" class=\"push\">Theme</button></header>\n<main>\n"
		"<p><strong>");
	dash_html(sb, s->name);
	strbuf_addf(
		sb,
		"</strong> <span class=\"dim\">%s; %s is better. Line: medians; band: 95 %% intervals.</span> <span "
		"class=\"verdict %s\">",
		s->metric->text,
		s->metric->better > 0	? "higher"
		: s->metric->better < 0 ? "lower"
					: "neither direction",
		dash_verdict_class[s->verdict]);
	dash_html(sb, s->comment);
	strbuf_adds(sb, "</span></p>\n");
}

void dash_series_html(const struct dash *d, const struct dash_series *s, const struct dash_mix *mix,
		      struct strbuf *sb)
{
	add_head(sb, s);
	strbuf_adds(
		sb,
		"<div class=\"bar\" role=\"group\" aria-label=\"Zoom\"><button "
		"data-do=\"month\">month</button><button data-do=\"year\">year</button>"
		"<button data-do=\"all\">all</button><button data-do=\"in\" aria-label=\"zoom "
		"in\">+</button>"
		"<button data-do=\"out\" aria-label=\"zoom out\">−</button>"
		"<button data-do=\"zero\" aria-pressed=\"false\">from zero</button></div>\n"
		"<div id=\"wrap\" tabindex=\"0\" aria-label=\"History; arrow keys move from run to "
		"run, plus and minus zoom\">"
		"<svg id=\"chart\" role=\"img\" aria-label=\"History of the series\"></svg><div "
		"id=\"tip\" hidden></div></div>\n"
		"<p id=\"info\" class=\"dim\" role=\"status\">Point at a run, or use the arrow "
		"keys.</p>\n");
	if (mix->reasons)
		add_legend(sb, mix);
	add_change_table(sb, d, s);
	add_accepted_list(sb, d, s);
	add_latest(sb, d, s);
	strbuf_adds(
		sb,
		"</main>\n<footer>Drag to zoom, double-click for all. Keys: <kbd>←</kbd> "
		"<kbd>→</kbd> run (<kbd>Shift</kbd>: ten), "
		"<kbd>n</kbd> <kbd>p</kbd> next and previous change, <kbd>+</kbd> <kbd>-</kbd> "
		"<kbd>0</kbd> zoom, <kbd>z</kbd> from zero, "
		"<kbd>Enter</kbd> record, <kbd>t</kbd> theme. ▲▼: level changed; <kbd>?</kbd> "
		"after it: provisional; ◆: accepted.</footer>\n");
	add_data(sb, d, s, mix);
	strbuf_adds(sb, "<script src=\"../dashboard.js\"></script>\n</body>\n</html>\n");
}
