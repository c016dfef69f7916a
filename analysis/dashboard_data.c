// SPDX-License-Identifier: MIT
/* From the index to series with levels, changes and verdicts. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "analysis/dashboard.h"
#include "analysis/stats.h"

#define MIN_RUNS    10 /* fewer show a history but get no verdict */
#define RECENT_RUNS 60 /* an older change has become the level */

static const char *const usual_metrics[] = {
	"throughput_bps",
	"transactions_per_s",
	"packets_per_s",
	"iops",
	"latency_ns",
	"latency_p99_ns",
	"exits_per_packet",
	"userspace_exits_per_packet",
	"kicks_per_packet",
	"interrupts_per_packet",
	"cpu_ns_per_packet",
	"exits_per_io",
	"userspace_exits_per_io",
	"kicks_per_io",
	"interrupts_per_io",
	"cpu_ns_per_io",
	"boot_ns",
	"boot_exits",
	"vmm_overhead_bytes",
	"exit_cost_ns",
	"exits_per_op",
	"ops_per_s",
	"op_ns",
	"compute_ns",
	NULL,
};

const char *const dash_verdict_class[DASH_VERDICTS] = {"steady", "worse", "better", "changed",
						       "few"};

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct run_row *)a)->id, ((const struct run_row *)b)->id);
}

const struct run_row *dash_run(const struct dash *d, const char *id)
{
	struct run_row key = {.ok = false};

	snprintf(key.id, sizeof(key.id), "%s", id);
	return bsearch(&key, d->row, d->rows, sizeof(*d->row), by_id);
}

void dash_day(const struct series_point *p, char buf[11])
{
	time_t t = p->order / 1000;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(buf, 11, "%Y-%m-%d", &tm);
}

/* ---- configurations ---- */

static char *next_part(const char **s)
{
	size_t len = strcspn(*s, "/;");
	char *part = xasprintf("%.*s", (int)len, *s);

	*s += len;
	if (**s == '/')
		(*s)++;
	return part;
}

/* Is ";name=value" a setting of every configuration of this workload, or 0, which is how a job says
 * "not set"? Then it tells nothing. */
static bool tells_nothing(const struct dash *d, const char *key, const char *setting, size_t len)
{
	size_t workload = strcspn(key, "/") + 1;

	if (len > 2 && !strncmp(setting + len - 2, "=0", 2))
		return true;
	for (size_t i = 0; i < d->configs; i++) {
		const char *p = strchr(d->config[i].key, ';');

		if (strncmp(d->config[i].key, key, workload) != 0)
			continue;
		while (p && strncmp(p, setting, len))
			p = strchr(p + 1, ';');
		if (!p || (p[len] && p[len] != ';'))
			return false;
	}
	return true;
}

/* A knob that is a parameter too (cpus) stands in the key twice. */
static bool said_before(const char *key, const char *setting, size_t len)
{
	for (const char *s = strchr(key, ';'); s && s < setting; s = strchr(s + 1, ';'))
		if (!strncmp(s, setting, len) && (s[len] == ';' || !s[len]))
			return true;
	return false;
}

static void name_config(const struct dash *d, struct dash_config *c)
{
	char **const part[] = {&c->workload, &c->mode,	    &c->vmm,
			       &c->guest,    &c->substrate, &c->time_base};
	struct strbuf sb = STRBUF_INIT;
	const char *s = c->key;

	for (size_t i = 0; i < ARRAY_SIZE(part); i++)
		*part[i] = next_part(&s);
	c->machine = xstrdup("");
	while (*s == ';') {
		size_t len = 1 + strcspn(s + 1, ";");

		if (s[1] == '@') { /* the last */
			free(c->machine);
			c->machine = xasprintf("%.*s", (int)len - 2, s + 2);
		} else if (!tells_nothing(d, c->key, s, len) && !said_before(c->key, s, len))
			strbuf_addf(&sb, "%s%.*s", sb.len ? ", " : "", (int)len - 1, s + 1);
		s += len;
	}
	c->settings = sb.len ? strbuf_take(&sb) : xstrdup("");
}

static void add_configs(struct dash *d)
{
	for (size_t i = 0; i < d->points; i++) {
		if (i && d->point[i].series == d->point[i - 1].series)
			continue;
		d->config = xgrow(d->config, d->configs, sizeof(*d->config));
		d->config[d->configs++] = (struct dash_config){.key = d->point[i].series};
	}
	for (size_t i = 0; i < d->configs; i++)
		name_config(d, &d->config[i]);
}

/* ---- series ---- */

static bool wanted(const char *metric, const struct dashboard_opts *opts)
{
	const char *const *list = opts->metrics ? opts->metrics : usual_metrics;
	size_t base = strcspn(metric, ".");

	while (*list && strcmp(*list, metric) && (strncmp(*list, metric, base) || (*list)[base]))
		list++;
	return *list && metric_find_kind(metric);
}

/* Only where there is more than one. */
static bool tells_machines_apart(const struct dash *d)
{
	for (size_t i = 1; i < d->configs; i++)
		if (strcmp(d->config[i].machine, d->config[0].machine) != 0)
			return true;
	return false;
}

static char *title_of(const struct dash_config *c, bool name_machine)
{
	const char *const part[] = {c->mode, c->vmm, strcmp(c->guest, "linux") ? c->guest : "",
				    c->settings};
	struct strbuf sb = STRBUF_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(part); i++)
		if (*part[i])
			strbuf_addf(&sb, "%s%s", sb.len ? ", " : "", part[i]);
	if (!sb.len)
		strbuf_adds(&sb, c->workload);
	strbuf_addf(&sb, " (%s", c->substrate);
	if (strcmp(c->time_base, "real") != 0)
		strbuf_addf(&sb, ", %s", c->time_base);
	if (name_machine && *c->machine)
		strbuf_addf(&sb, ", %s", c->machine);
	strbuf_addc(&sb, ')');
	return strbuf_take(&sb);
}

static const char *or_none(const char *text)
{
	return *text ? text : "none";
}

char *dash_file_name(const char *text)
{
	char *name = xstrdup(text);

	for (char *p = name; *p; p++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-_.", *p))
			*p = '_';
	return name;
}

/* The name is stable over the years: it depends on the series only. */
static char *page_of(const struct dash_config *c, const char *metric)
{
	uint32_t hash = 2166136261u;
	char *page, *name;

	for (const char *s = c->key; *s; s++)
		hash = (hash ^ (unsigned char)*s) * 16777619u;
	page = xasprintf("%s-%s-%s-%s-%08x.html", c->workload, or_none(c->mode), or_none(c->vmm), metric,
			 hash);
	name = dash_file_name(page);
	free(page);
	return name;
}

static size_t last_accepted(const struct dash_series *s)
{
	for (size_t i = s->n; i-- > 0;)
		if (s->p[i].accepted)
			return i;
	return 0;
}

/* Neither accepted since nor so old that it has become the level. */
static bool is_open(const struct dash_series *s, const struct dash_change *c)
{
	if (c->drift)
		return c->at >= last_accepted(s) && s->n - c->end <= RECENT_RUNS;
	return c->at > last_accepted(s) && s->n - c->at <= RECENT_RUNS;
}

enum dash_verdict dash_direction(const struct dash_series *s, const struct dash_change *c)
{
	double better = s->metric->better * (c->after - c->before);

	if (better > 0)
		return DASH_BETTER;
	return better < 0 ? DASH_WORSE : DASH_CHANGED;
}

double dash_percent(const struct dash_change *c)
{
	if (c->before == 0)
		return INFINITY;
	return 100 * (c->after / c->before - 1);
}

static char *comment_of(const struct dash_series *s, const struct dash_change *c)
{
	const char *arrow = c->after > c->before ? "▲" : "▼";
	const char *kind = dash_verdict_class[s->verdict];
	char day[11];

	dash_day(&s->p[c->at], day);
	if (c->drift)
		return xasprintf("%s %+.2g %% %s, drifting since %s", arrow, dash_percent(c), kind, day);
	return xasprintf("%s %+.2g %% %s since %s%s", arrow, dash_percent(c), kind, day,
			 c->provisional ? " (provisional)" : "");
}

bool dash_unsettled(const struct dash_series *s)
{
	return s->verdict != DASH_STEADY && s->verdict != DASH_FEW;
}

void dash_judge(struct dash_series *s)
{
	const char *each = text_or(s->each, "runs");
	const struct dash_change *c = NULL;

	dash_find_changes(s);
	if (s->changes)
		c = &s->change[s->changes - 1];
	if (s->n < MIN_RUNS) {
		s->verdict = DASH_FEW;
		s->comment = xasprintf("too few %s for a verdict (%zu)", each, s->n);
	} else if (c && is_open(s, c)) {
		s->verdict = dash_direction(s, c);
		s->comment = comment_of(s, c);
	} else {
		s->verdict = DASH_STEADY;
		s->comment = xasprintf("steady for %zu %s", s->n - (c ? c->at : 0), each);
	}
}

static void add_series(struct dash *d, const struct dashboard_opts *opts)
{
	bool name_machine = tells_machines_apart(d);
	size_t config = 0;

	for (size_t i = 0, end; i < d->points; i = end) {
		const struct series_point *p = &d->point[i];
		struct dash_series *s;

		for (end = i + 1; end < d->points && d->point[end].series == p->series &&
				  d->point[end].metric == p->metric;)
			end++;
		while (d->config[config].key != p->series)
			config++;
		if (!wanted(p->metric, opts))
			continue;
		d->series = xgrow(d->series, d->n, sizeof(*d->series));
		s = &d->series[d->n++];
		*s = (struct dash_series){.config = &d->config[config],
					  .metric = metric_find_kind(p->metric),
					  .name = p->metric,
					  .p = p,
					  .n = end - i};
		s->title = title_of(s->config, name_machine);
		s->page = page_of(s->config, p->metric);
		dash_judge(s);
	}
}

int dash_collect(struct dash *d, struct store *store, const struct dashboard_opts *opts)
{
	struct run_filter filter = {.since = opts->since, .ok_only = true};
	int err = store_list(store, &filter, &d->row, &d->rows);

	if (!err)
		err = store_series(store, &filter, NULL, &d->point, &d->points);
	if (err)
		return err;
	qsort(d->row, d->rows, sizeof(*d->row), by_id);
	add_configs(d);
	add_series(d, opts);
	dash_find_machines(d, store);
	return 0;
}

void dash_series_free(struct dash_series *s)
{
	free(s->levels.v);
	free(s->change);
	free(s->page);
	free(s->title);
	free(s->comment);
}

void dash_free(struct dash *d)
{
	for (size_t i = 0; i < d->configs; i++) {
		struct dash_config *c = &d->config[i];
		char *const part[] = {c->workload,  c->mode,	  c->vmm,      c->guest,
				      c->substrate, c->time_base, c->settings, c->machine};

		for (size_t k = 0; k < ARRAY_SIZE(part); k++)
			free(part[k]);
	}
	for (size_t i = 0; i < d->n; i++)
		dash_series_free(&d->series[i]);
	dash_machines_free(d);
	free(d->config);
	free(d->series);
	free(d->point);
	run_rows_free(d->row, d->rows);
}
