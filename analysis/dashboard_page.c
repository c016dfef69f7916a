// SPDX-License-Identifier: MIT
/* The page of one series: data as JSON for the script, tables for everyone. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/assets.h"
#include "analysis/dashboard.h"
#include "analysis/page.h"
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

static const char *version_at(const struct dash *d, const struct dash_series *s, size_t i)
{
	const struct run_row *r = dash_run(d, s->p[i].id);

	return r && *r->version ? r->version : "unknown";
}

/* ---- data ---- */

static void add_columns(json_t *data, const struct dash_series *s)
{
	static const char *const names[] = {"t", "v", "lo", "hi", "n", "id"};
	json_t *column[ARRAY_SIZE(names)];

	for (size_t c = 0; c < ARRAY_SIZE(names); c++) {
		column[c] = json_array();
		json_object_set_new(data, names[c], column[c]);
	}
	for (size_t i = 0; i < s->n; i++) {
		const struct series_point *p = &s->p[i];
		bool interval = isfinite(p->low) && isfinite(p->high);

		json_array_append_new(column[0], json_integer(p->order / 1000));
		json_array_append_new(column[1], json_real_or_null(p->median));
		json_array_append_new(column[2], json_real_or_null(interval ? p->low : NAN));
		json_array_append_new(column[3], json_real_or_null(interval ? p->high : NAN));
		json_array_append_new(column[4], json_integer(p->n));
		json_array_append_new(column[5], json_string(p->id));
	}
}

/* Builds are few and points many: an index into a list. */
static void add_versions(json_t *data, const struct dash *d, const struct dash_series *s)
{
	json_t *at = json_array(), *list = json_array();
	const char *last = NULL;

	for (size_t i = 0; i < s->n; i++) {
		const char *version = version_at(d, s, i);

		if (!last || strcmp(last, version) != 0)
			json_array_append_new(list, json_string(version));
		last = version;
		json_array_append_new(at, json_integer((json_int_t)json_array_size(list) - 1));
	}
	json_object_set_new(data, "ver", at);
	json_object_set_new(data, "vers", list);
}

/* Of a drift the end as well; levels are [first, last, from, to]. */
static json_t *change_json(const struct dash_change *c)
{
	json_t *change = json_pack("{s:I,s:o,s:o,s:b}", "i", (json_int_t)c->at, "from",
				   json_real_or_null(c->before), "to", json_real_or_null(c->after), "prov",
				   c->provisional);

	if (c->drift)
		json_object_set_new(change, "until", json_integer((json_int_t)c->end));
	return change;
}

static json_t *level_json(const struct change_level *l)
{
	return json_pack("[I,I,o,o]", (json_int_t)l->start, (json_int_t)l->end - 1,
			 json_real_or_null(l->from), json_real_or_null(l->to));
}

static void add_changes(json_t *data, const struct dash_series *s)
{
	json_t *changes = json_array(), *levels = json_array();

	for (size_t i = 0; i < s->changes; i++)
		json_array_append_new(changes, change_json(&s->change[i]));
	for (size_t i = 0; i < s->levels.n; i++)
		json_array_append_new(levels, level_json(&s->levels.v[i]));
	json_object_set_new(data, "chg", changes);
	json_object_set_new(data, "levels", levels);
}

static void add_accepted(json_t *data, const struct dash *d, const struct dash_series *s)
{
	json_t *accepted = json_array();

	for (size_t i = 0; i < s->n; i++) {
		char *why;

		if (!s->p[i].accepted)
			continue;
		why = reason_of(d, s, i);
		json_array_append_new(accepted, json_pack("{s:I,s:s}", "i", (json_int_t)i, "why", why));
		free(why);
	}
	json_object_set_new(data, "acc", accepted);
}

static void add_mix(json_t *data, const struct dash_series *s, const struct dash_mix *mix)
{
	json_t *names = json_array(), *values = json_array();

	for (size_t r = 0; r < mix->reasons; r++) {
		json_t *row = json_array();

		for (size_t i = 0; i < s->n; i++)
			json_array_append_new(row, json_real_or_null(mix->value[r * s->n + i]));
		json_array_append_new(names, json_string(mix->name[r]));
		json_array_append_new(values, row);
	}
	json_object_set_new(data, "mix", json_pack("{s:o,s:o}", "names", names, "v", values));
}

/* Inside a script element no text of it may begin a tag. */
void dash_history_json(const struct dash *d, const struct dash_series *s, const struct dash_mix *mix,
		       struct strbuf *sb)
{
	json_t *data = json_pack("{s:s,s:i,s:s}", "unit", s->metric->unit, "better", s->metric->better, "rec",
				 d->store_runs);
	char *text;

	add_columns(data, s);
	add_versions(data, d, s);
	add_changes(data, s);
	add_accepted(data, d, s);
	if (mix && mix->reasons)
		add_mix(data, s, mix);
	text = json_dumps(data, JSON_COMPACT | JSON_REAL_PRECISION(6));
	for (const char *c = text; c && *c; c++) {
		if (*c == '<')
			strbuf_adds(sb, "\\u003c");
		else
			strbuf_addc(sb, *c);
	}
	free(text);
	json_decref(data);
}

/* ---- tables ---- */

static const char *note_of(const struct dash_change *c)
{
	if (c->drift)
		return "drift";
	return c->provisional ? "provisional" : "";
}

static void add_change(struct strbuf *sb, const struct dash *d, const struct dash_series *s,
		       const struct dash_change *c)
{
	char day[11], before[64], after[64], at[24], percent[24];
	size_t last = c->at ? c->at - 1 : 0; /* before the change */

	dash_day(&s->p[c->at], day);
	report_value(s->metric->unit, c->before, before, sizeof(before));
	report_value(s->metric->unit, c->after, after, sizeof(after));
	snprintf(at, sizeof(at), "%zu", c->at);
	snprintf(percent, sizeof(percent), "%+.2g", dash_percent(c));
	page_add(sb, asset_dashboard_html, "change", "at", at, "day", day, "before", before, "after", after,
		 "kind", dash_verdict_class[dash_direction(s, c)], "percent", percent, "old",
		 version_at(d, s, last), "new", version_at(d, s, c->drift ? c->end : c->at), "note",
		 note_of(c), NULL);
}

static void add_change_table(struct strbuf *sb, const struct dash *d, const struct dash_series *s)
{
	struct strbuf rows = STRBUF_INIT;
	char lag1[24];

	snprintf(lag1, sizeof(lag1), "%.2f", s->levels.lag1);
	if (s->levels.lag1 >= CHANGE_CORRELATED)
		page_add(sb, asset_dashboard_html, "correlated", "lag1", lag1, NULL);
	for (size_t i = s->changes; i-- > 0;)
		add_change(&rows, d, s, &s->change[i]);
	if (s->changes)
		page_add(sb, asset_dashboard_html, "changes", "rows", strbuf_str(&rows), NULL);
	else
		page_add(sb, asset_dashboard_html, "no_changes", NULL);
	strbuf_free(&rows);
}

static void add_accepted_list(struct strbuf *sb, const struct dash *d, const struct dash_series *s)
{
	for (size_t i = s->n; i-- > 0;) {
		char day[11], at[24], *why;

		if (!s->p[i].accepted)
			continue;
		why = reason_of(d, s, i);
		dash_day(&s->p[i], day);
		snprintf(at, sizeof(at), "%zu", i);
		page_add(sb, asset_dashboard_html, "accepted", "at", at, "day", day, "why",
			 *why ? why : "no reason given", NULL);
		free(why);
	}
}

static void add_run(struct strbuf *sb, const struct dash *d, const struct dash_series *s, size_t i)
{
	const struct series_point *p = &s->p[i];
	char median[64], low[64], high[64], interval[140] = "", n[16],
					    *url = xasprintf("%s%s", d->store_runs, p->id);

	report_value(s->metric->unit, p->median, median, sizeof(median));
	report_value(s->metric->unit, p->low, low, sizeof(low));
	report_value(s->metric->unit, p->high, high, sizeof(high));
	if (isfinite(p->low) && isfinite(p->high))
		snprintf(interval, sizeof(interval), "[%s, %s]", low, high);
	snprintf(n, sizeof(n), "%d", p->n);
	page_add(sb, asset_dashboard_html, "run", "url", url, "id", p->id, "median", median, "interval",
		 interval, "n", n, "build", version_at(d, s, i), NULL);
	free(url);
}

static void add_legend(struct strbuf *sb, const struct dash_mix *mix)
{
	struct strbuf reasons = STRBUF_INIT;

	for (size_t r = 0; r < mix->reasons; r++) {
		char colour[24];

		snprintf(colour, sizeof(colour), "%zu", r + 1);
		page_add(&reasons, asset_dashboard_html, "reason", "colour", colour, "name", mix->name[r],
			 NULL);
	}
	if (mix->reasons)
		page_add(sb, asset_dashboard_html, "mix", "reasons", strbuf_str(&reasons), NULL);
	strbuf_free(&reasons);
}

void dash_series_html(const struct dash *d, const struct dash_series *s, const struct dash_mix *mix,
		      struct strbuf *sb)
{
	static const char *const better[] = {"lower", "neither direction", "higher"};
	struct strbuf legend = STRBUF_INIT, changes = STRBUF_INIT, accepted = STRBUF_INIT,
		      latest = STRBUF_INIT, data = STRBUF_INIT;

	add_legend(&legend, mix);
	add_change_table(&changes, d, s);
	add_accepted_list(&accepted, d, s);
	for (size_t k = 0; k < MIN(s->n, (size_t)LATEST); k++)
		add_run(&latest, d, s, s->n - 1 - k);
	dash_history_json(d, s, mix, &data);
	page_add(sb, asset_dashboard_html, "series", "title", s->title, "name", s->name, "workload",
		 s->config->workload, "text", s->metric->text, "better", better[s->metric->better + 1],
		 "verdict", dash_verdict_class[s->verdict], "comment", s->comment, "mix", strbuf_str(&legend),
		 "changes", strbuf_str(&changes), "accepted", strbuf_str(&accepted), "latest",
		 strbuf_str(&latest), "data", strbuf_str(&data), NULL);
	strbuf_free(&legend);
	strbuf_free(&changes);
	strbuf_free(&accepted);
	strbuf_free(&latest);
	strbuf_free(&data);
}
