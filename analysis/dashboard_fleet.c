// SPDX-License-Identifier: MIT
/* The machines on the overview; the page of one: speed, noise, what bench doctor found, what drifts. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/assets.h"
#include "analysis/dashboard.h"
#include "analysis/page.h"
#include "analysis/report.h"
#include "analysis/stats.h"

/* "1.2 %"; "-" when nothing was measured. */
static void percent_text(double v, char *buf, size_t size)
{
	snprintf(buf, size, "%.2g %%", 100 * v);
	if (!isfinite(v))
		snprintf(buf, size, "-");
}

static double noise_quantile(const struct dash_noise *n, double q)
{
	if (!n || !n->n)
		return NAN;
	return stats_quantile(n->v, n->n, q);
}

/* ---- the table on the overview ---- */

/* Over all pairs of all its series. */
static double noise_overall(const struct dash_machine *m)
{
	double *v = NULL, median = NAN;
	size_t n = 0;

	for (size_t i = 0; i < m->noises; i++)
		for (size_t k = 0; k < m->noise[i].n; k++) {
			v = xgrow(v, n, sizeof(*v));
			v[n++] = m->noise[i].v[k];
		}
	if (n)
		median = stats_median(v, n);
	free(v);
	return median;
}

static bool to_be_done(const json_t *finding)
{
	const char *verdict = record_str(finding, "verdict");

	return !strcmp(verdict, "warning") || !strcmp(verdict, "missing");
}

/* "3", or "-" when bench doctor was not asked. */
static void warnings_text(const struct dash_machine *m, char *buf, size_t size)
{
	const json_t *finding;
	const char *topic;
	size_t n = 0;

	json_object_foreach (json_object_get(m->findings, "findings"), topic, finding)
		n += to_be_done(finding);
	snprintf(buf, size, "%zu", n);
	if (!m->findings)
		snprintf(buf, size, "-");
}

static void add_machine_row(struct strbuf *sb, const struct dash_machine *m)
{
	char runs[24], day[11] = "", speed[64] = "-", noise[24], unsettled[24], warnings[24];
	const struct series_point newest = {.order = m->newest->order};

	snprintf(runs, sizeof(runs), "%zu", m->runs);
	dash_day(&newest, day);
	if (m->speed.n)
		report_value("ns", m->speed.p[m->speed.n - 1].median, speed, sizeof(speed));
	percent_text(noise_overall(m), noise, sizeof(noise));
	snprintf(unsettled, sizeof(unsettled), "%zu", m->unsettled);
	warnings_text(m, warnings, sizeof(warnings));
	page_add(sb, asset_dashboard_html, "machine_row", "page", m->page, "name", m->name, "runs", runs,
		 "day", day, "speed", speed, "verdict", dash_verdict_class[m->speed.verdict], "comment",
		 m->speed.comment, "noise", noise, "unsettled", unsettled, "warnings", warnings, NULL);
}

void dash_machines_table(const struct dash *d, struct strbuf *sb)
{
	struct strbuf rows = STRBUF_INIT;

	for (size_t i = 0; i < d->machines; i++)
		add_machine_row(&rows, &d->machine[i]);
	if (d->machines)
		page_add(sb, asset_dashboard_html, "machines", "rows", strbuf_str(&rows), NULL);
	strbuf_free(&rows);
}

/* ---- the page of one ---- */

static const struct dash_noise *noise_like(const struct dash_noise *all, size_t n,
					   const struct dash_noise *of)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(all[i].workload, of->workload) && !strcmp(all[i].metric, of->metric))
			return &all[i];
	return NULL;
}

static void add_noise_row(struct strbuf *sb, const struct dash_noise *n, const struct dash_noise *all)
{
	char pairs[24], median[24], high[24], most[24], others[24];

	snprintf(pairs, sizeof(pairs), "%zu", n->n);
	percent_text(noise_quantile(n, 0.5), median, sizeof(median));
	percent_text(noise_quantile(n, 0.95), high, sizeof(high));
	percent_text(noise_quantile(n, 1), most, sizeof(most));
	percent_text(noise_quantile(all, 0.5), others, sizeof(others));
	page_add(sb, asset_dashboard_html, "noise_row", "workload", n->workload, "metric", n->metric, "pairs",
		 pairs, "median", median, "high", high, "most", most, "others", others, NULL);
}

static void add_noise(struct strbuf *sb, const struct dash_machine *m, const struct dash_noise *all,
		      size_t n_all)
{
	struct strbuf rows = STRBUF_INIT;

	for (size_t i = 0; i < m->noises; i++)
		if (m->noise[i].n)
			add_noise_row(&rows, &m->noise[i], noise_like(all, n_all, &m->noise[i]));
	if (rows.len)
		page_add(sb, asset_dashboard_html, "noise", "rows", strbuf_str(&rows), NULL);
	else
		page_add(sb, asset_dashboard_html, "no_noise", NULL);
	strbuf_free(&rows);
}

static void add_findings(struct strbuf *sb, const struct dash_machine *m)
{
	static const struct {
		const char *verdict, *css;
	} colours[] = {{"warning", "changed"}, {"missing", "worse"}};
	struct strbuf rows = STRBUF_INIT;
	const json_t *finding;
	const char *topic;

	json_object_foreach (json_object_get(m->findings, "findings"), topic, finding) {
		const char *verdict = record_str(finding, "verdict"), *css = "";

		for (size_t i = 0; i < ARRAY_SIZE(colours); i++)
			if (!strcmp(verdict, colours[i].verdict))
				css = colours[i].css;
		page_add(&rows, asset_dashboard_html, "finding", "topic", topic, "css", css, "verdict",
			 verdict, "found", record_str(finding, "found"), "todo", record_str(finding, "todo"),
			 NULL);
	}
	if (m->findings)
		page_add(sb, asset_dashboard_html, "findings", "at", record_str(m->findings, "at"), "rows",
			 strbuf_str(&rows), NULL);
	else
		page_add(sb, asset_dashboard_html, "no_findings", "name", m->name, NULL);
	strbuf_free(&rows);
}

static void add_unsettled(struct strbuf *sb, const struct dash *d, const struct dash_machine *m)
{
	struct strbuf rows = STRBUF_INIT;

	for (size_t i = 0; i < d->n; i++) {
		const struct dash_series *s = &d->series[i];

		if (strcmp(s->config->machine, m->name) || !dash_unsettled(s))
			continue;
		page_add(&rows, asset_dashboard_html, "unsettled_row", "page", s->page, "workload",
			 s->config->workload, "title", s->title, "metric", s->name, "verdict",
			 dash_verdict_class[s->verdict], "comment", s->comment, NULL);
	}
	if (rows.len)
		page_add(sb, asset_dashboard_html, "unsettled", "rows", strbuf_str(&rows), NULL);
	else
		page_add(sb, asset_dashboard_html, "none_unsettled", NULL);
	strbuf_free(&rows);
}

/* What the newest record says of the hardware. Caller frees. */
static char *hardware_text(const struct dash *d, const struct dash_machine *m)
{
	char *path = xasprintf("%s/%s/record.json", d->runs_dir, m->newest->id), *text;
	json_t *rec = record_read(path);
	const struct record_environment env = record_environment_of(rec);
	const char *cpu = text_or(record_str(env.lab, MEMBER_KEY(struct record_lab, host_cpu)), env.cpu);
	const char *kernel =
		text_or(record_str(env.lab, MEMBER_KEY(struct record_lab, host_kernel)), env.kernel);

	text = xasprintf("%s; Linux %s", text_or(cpu, "processor unknown"), text_or(kernel, "unknown"));
	json_decref(rec);
	free(path);
	return text;
}

static void add_speed(struct strbuf *sb, const struct dash *d, const struct dash_machine *m)
{
	struct strbuf data = STRBUF_INIT;

	if (m->speed.n) {
		dash_history_json(d, &m->speed, NULL, &data);
		page_add(sb, asset_dashboard_html, "speed", "verdict", dash_verdict_class[m->speed.verdict],
			 "comment", m->speed.comment, "data", strbuf_str(&data), NULL);
	} else {
		page_add(sb, asset_dashboard_html, "no_speed", NULL);
	}
	strbuf_free(&data);
}

void dash_machine_html(const struct dash *d, const struct dash_machine *m, const struct dash_noise *all,
		       size_t n_all, struct strbuf *sb)
{
	struct strbuf speed = STRBUF_INIT, noise = STRBUF_INIT, findings = STRBUF_INIT,
		      unsettled = STRBUF_INIT;
	char runs[24], day[11], *hardware = hardware_text(d, m);
	const struct series_point newest = {.order = m->newest->order};

	snprintf(runs, sizeof(runs), "%zu", m->runs);
	dash_day(&newest, day);
	add_speed(&speed, d, m);
	add_noise(&noise, m, all, n_all);
	add_findings(&findings, m);
	add_unsettled(&unsettled, d, m);
	page_add(sb, asset_dashboard_html, "machine", "name", m->name, "hardware", hardware, "runs", runs,
		 "day", day, "speed", strbuf_str(&speed), "noise", strbuf_str(&noise), "findings",
		 strbuf_str(&findings), "unsettled", strbuf_str(&unsettled), NULL);
	strbuf_free(&speed);
	strbuf_free(&noise);
	strbuf_free(&findings);
	strbuf_free(&unsettled);
	free(hardware);
}
