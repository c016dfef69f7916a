// SPDX-License-Identifier: MIT
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/audit.h"
#include "analysis/report.h"
#include "base/file.h"
#include "base/log.h"
#include "base/number.h"
#include "base/strlist.h"
#include "base/table.h"
#include "results/record.h"

void report_value(const char *unit, double v, char *buf, size_t size)
{
	const char *short_unit = unit;

	/* As units follow an SI prefix: "54.6 k/s". */
	if (!strcmp(unit, "bit/s"))
		short_unit = "b/s";
	else if (*unit == '1')
		short_unit = unit + 1;
	if (!strcmp(unit, "ns"))
		snprintf(buf, size, "%s", fmt_ns(v));
	else if (!strcmp(unit, "%"))
		snprintf(buf, size, "%.3g %%", v);
	else if (fabs(v) < 999.5)
		snprintf(buf, size, "%.3g%s%s", v, text_if(*short_unit, " "), short_unit);
	else
		snprintf(buf, size, "%s%s", fmt_si(v), short_unit);
}

/* ---- header of every table over the records ---- */

static struct strlist header_of(const struct fig_set *set, const char *first)
{
	struct strlist names = STRLIST_INIT;

	strlist_add(&names, first);
	for (size_t i = 0; i < set->n; i++) {
		char *label = fig_label(set, i, NULL);

		strlist_addf(&names, ":%s", label);
		free(label);
	}
	return names;
}

/* ---- sections ---- */

static void value_cell(struct doc *d, const char *unit, const struct interval *iv)
{
	char mid[48], low[48], high[48], interval[120] = "";

	report_value(unit, iv->point, mid, sizeof(mid));
	report_value(unit, iv->low, low, sizeof(low));
	report_value(unit, iv->high, high, sizeof(high));
	if (isfinite(iv->low) && isfinite(iv->high))
		snprintf(interval, sizeof(interval), "[%s, %s]", low, high);
	doc_cell_value(d, mid, interval);
}

static void metric_row(struct doc *d, const struct fig_set *set, const char *name, const char *unit)
{
	struct interval iv;

	doc_cell(d, name);
	for (size_t i = 0; i < set->n; i++) {
		if (record_summary(set->rec[i], name, &iv))
			value_cell(d, unit, &iv);
		else
			doc_cell(d, "");
	}
}

/* The metric and its kinds ("exit_cost_ns.cpuid"), in whichever records have them. */
static void metric_rows(struct doc *d, const struct fig_set *set, const struct metric_info *m)
{
	struct strlist seen = STRLIST_INIT;
	size_t len = strlen(m->name);
	struct interval iv;
	const char *name;

	for (size_t i = 0; i < set->n; i++)
		for (void *at = NULL; record_next_metric(set->rec[i], &at, &name, &iv);)
			if (!strncmp(name, m->name, len) &&
			    (!name[len] || (name[len] == '.' && !metric_find(name))))
				strlist_add_once(&seen, name);
	for (size_t i = 0; i < seen.n; i++)
		metric_row(d, set, seen.v[i], m->unit);
	strlist_free(&seen);
}

static void add_results(struct doc *d, const struct fig_set *set)
{
	struct strlist header = header_of(set, "metric");

	doc_heading(d, "Results");
	doc_para(
		d,
		"Medians over boots with their 95 % intervals; no interval where there are fewer "
		"than 6 boots.");
	doc_table_begin(d, header.n, (const char *const *)header.v);
	for (const struct metric_info *m = metric_table; m->name; m++)
		metric_rows(d, set, m);
	doc_cell(d, "boots (n)");
	for (size_t i = 0; i < set->n; i++) {
		char n[24];

		snprintf(n, sizeof(n), "%zu", record_ok_samples(set->rec[i]));
		doc_cell(d, n);
	}
	doc_table_end(d);
	strlist_free(&header);
}

static int by_total(const void *a, const void *b)
{
	double x = ((const struct record_exit *)a)->total_ns, y = ((const struct record_exit *)b)->total_ns;

	return (x < y) - (x > y);
}

static void percent_cell(struct doc *d, const char *format, double part, double whole)
{
	char cell[48];

	snprintf(cell, sizeof(cell), format, ratio_or(100 * part, whole, 0));
	doc_cell(d, cell);
}

static void exit_row(struct doc *d, const struct record_exit *e, double all_ns)
{
	doc_cell(d, e->reason);
	doc_cell(d, text_or(e->device, e->key));
	doc_cell(d, fmt_si(e->count));
	percent_cell(d, "%.1f %%", e->total_ns, all_ns);
	doc_cell(d, e->count > 0 ? fmt_ns(e->total_ns / e->count) : "");
	doc_cell(d, fmt_ns(e->p50_ns));
	doc_cell(d, fmt_ns(e->p99_ns));
	percent_cell(d, "%.0f %%", e->user_ns, e->total_ns);
}

static void add_exits(struct doc *d, const struct fig_set *set, size_t i)
{
	static const char *const header[] = {"reason", "what",	  ":exits", ":time",
					     ":mean",  ":median", ":p99",   ":userspace"};
	const json_t *exits = record_of(set->rec[i]).exits;
	struct record_exit *row = xcalloc(json_array_size(exits) + 1, sizeof(*row));
	char *label = fig_label(set, i, NULL);
	double all_ns = 0;
	size_t n = 0;

	for (; record_exit(exits, n, &row[n]); n++)
		all_ns += row[n].total_ns;
	qsort(row, n, sizeof(*row), by_total);
	if (n) {
		doc_subheading(d, label);
		doc_table_begin(d, ARRAY_SIZE(header), header);
		for (size_t k = 0; k < MIN(n, (size_t)12); k++)
			exit_row(d, &row[k], all_ns);
		doc_table_end(d);
	}
	free(label);
	free(row);
}

static void add_fact(struct doc *d, const char *name, const char *value)
{
	if (!*value)
		return;
	doc_cell(d, name);
	doc_cell(d, value);
}

static void environment_rows(struct doc *d, const char *prefix, json_t *obj)
{
	const char *key;
	json_t *v;

	json_object_foreach (obj, key, v) {
		char *name, *text;

		if (json_is_object(v) || json_is_null(v))
			continue;
		name = xasprintf("%s%s", prefix, key);
		text = json_text(v);
		add_fact(d, name, text);
		free(text);
		free(name);
	}
}

/* "none, linux": each once. */
static void add_facts(struct doc *d, const char *name, struct strlist *texts)
{
	struct strbuf sb = STRBUF_INIT;

	for (size_t i = 0; i < texts->n; i++) {
		if (*texts->v[i])
			strbuf_sep(&sb, ", ");
		strbuf_adds(&sb, texts->v[i]);
	}
	add_fact(d, name, strbuf_str(&sb));
	strbuf_free(&sb);
	strlist_free(texts);
}

/* Of the first record; what differs in the others is an anomaly and said there. */
static void add_environment(struct doc *d, const struct fig_set *set)
{
	static const char *const header[] = {"environment/20", "value/74"};
	struct strlist substrate = STRLIST_INIT, time_base = STRLIST_INIT, guest = STRLIST_INIT;
	json_t *env = record_of(set->rec[0]).environment, *v;
	const char *key;

	for (size_t i = 0; i < set->n; i++) {
		struct record r = record_of(set->rec[i]);

		strlist_add_once(&substrate, r.substrate);
		strlist_add_once(&time_base, r.time_base);
		strlist_add_once(&guest, r.guest);
	}
	doc_heading(d, "Environment");
	doc_table_begin(d, 2, header);
	add_facts(d, "substrate", &substrate);
	add_facts(d, "time_base", &time_base);
	add_facts(d, "guest", &guest);
	environment_rows(d, "", env);
	json_object_foreach (env, key, v) {
		char *prefix = xasprintf("%s.", key);

		if (json_is_object(v))
			environment_rows(d, prefix, v);
		free(prefix);
	}
	doc_table_end(d);
}

static void add_provenance(struct doc *d, const struct fig_set *set)
{
	static const char *const header[] = {"run/20", "started/18", "commands/52"};

	doc_heading(d, "Provenance");
	doc_table_begin(d, ARRAY_SIZE(header), header);
	for (size_t i = 0; i < set->n; i++) {
		struct record r = record_of(set->rec[i]);
		struct strbuf argv = STRBUF_INIT;
		const char *word;

		for (size_t k = 0; record_text(r.argv, k, &word); k++)
			strbuf_addf(&argv, "%s%s", text_if(k, " "), word);
		doc_cell(d, r.id);
		doc_cell(d, r.started);
		doc_cell(d, strbuf_str(&argv));
		strbuf_free(&argv);
	}
	doc_table_end(d);
}

static bool has_input(const struct record_input *all, size_t n, const struct record_input *in)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(all[i].name, in->name) && !strcmp(all[i].sha256, in->sha256))
			return true;
	return false;
}

/* Every binary, once, whichever of the records ran it. */
static void add_inputs(struct doc *d, const struct fig_set *set)
{
	static const char *const header[] = {"input", "version", "build", "sha256"};
	struct record_input *all = NULL, in;
	size_t n = 0;

	for (size_t i = 0; i < set->n; i++) {
		const json_t *inputs = record_of(set->rec[i]).inputs;

		for (size_t k = 0; record_input(inputs, k, &in); k++) {
			if (has_input(all, n, &in))
				continue;
			all = xgrow(all, n, sizeof(*all));
			all[n++] = in;
		}
	}
	if (n)
		doc_table_begin(d, ARRAY_SIZE(header), header);
	for (size_t k = 0; k < n; k++) {
		doc_cell(d, all[k].name);
		doc_cell(d, all[k].version);
		doc_cell(d, all[k].build);
		doc_cell(d, all[k].sha256);
	}
	if (n)
		doc_table_end(d);
	free(all);
}

/* Draw a figure, put it in, and say nothing when the records do not have its data. */
static int add_figure(struct doc *d, const struct fig_set *set, const struct report_opts *opts,
		      const struct figure *fig, const char *stem)
{
	static const struct {
		enum fig_format format;
		double width_in;
	} of[] = {[DOC_HTML] = {FIG_SVG, 7}, [DOC_MD] = {FIG_SVG, 7}, [DOC_TEX] = {FIG_PDF, 3.3}};
	struct fig_target to = {opts->figure_dir, stem, of[d->format].format, of[d->format].width_in, false};
	struct strbuf svg = STRBUF_INIT, caption = STRBUF_INIT;
	const char *ext = figure_format_name(to.format);
	char *why, *path, *text, *ref;
	int err = figure_render(fig, set, &to, &why);

	free(why);
	if (err == -ENODATA)
		return 0;
	if (err)
		return err;
	path = xasprintf("%s/%s.%s", to.dir, stem, ext);
	text = xasprintf("%s/%s.txt", to.dir, stem);
	ref = xasprintf("%s/%s.%s", opts->figure_ref, stem, ext);
	err = file_read(text, &caption);
	if (!err && d->format == DOC_HTML)
		err = file_read(path, &svg);
	if (err)
		log_error("%s: cannot read: %s", path, strerror(-err));
	while (caption.len && caption.buf[caption.len - 1] == '\n')
		caption.buf[--caption.len] = '\0';
	if (!err)
		doc_figure(d, strbuf_str(&svg), ref, strbuf_str(&caption));
	strbuf_free(&svg);
	strbuf_free(&caption);
	free(path);
	free(text);
	free(ref);
	return err;
}

static int add_figures(struct doc *d, const struct fig_set *set, const struct report_opts *opts)
{
	int err = 0;

	doc_heading(d, "Figures");
	for (const struct figure *f = figure_table; !err && f->name; f++) {
		if (f->how != FIG_EACH) {
			err = add_figure(d, set, opts, f, f->name);
			continue;
		}
		for (size_t i = 0; !err && i < set->n; i++) {
			struct fig_set one = {&set->rec[i], 1};
			char *stem = xasprintf("%s-%zu", f->name, i);

			err = add_figure(d, &one, opts, f, stem);
			free(stem);
		}
	}
	return err;
}

static char *title_of(const struct fig_set *set)
{
	struct strbuf sb = STRBUF_INIT;

	strbuf_addf(&sb, "%s:", record_of(set->rec[0]).workload);
	for (size_t i = 0; i < set->n && i < 8; i++) {
		char *label = fig_label(set, i, NULL);

		strbuf_addf(&sb, "%s %s", text_if(i, ";"), label);
		free(label);
	}
	return strbuf_take(&sb);
}

int report_write(const struct fig_set *set, const struct report_opts *opts, struct strbuf *out)
{
	char *title = title_of(set);
	struct doc d;
	int err = 0;

	doc_begin(&d, opts->format, title);
	doc_heading(&d, "Anomalies");
	if (!report_anomalies(&d, set))
		doc_para(&d, "None: every sample and check passed, and no noise was flagged.");
	audit_report(&d, set, opts->headline);
	add_results(&d, set);
	doc_heading(&d, "Exits");
	doc_para(
		&d,
		"Per boot, the costliest by total time; \"time\" is the share of all handling "
		"time, \"userspace\" the part of it outside the kernel.");
	for (size_t i = 0; i < set->n; i++)
		add_exits(&d, set, i);
	if (opts->figures)
		err = add_figures(&d, set, opts);
	report_claims(&d, set);
	add_environment(&d, set);
	add_provenance(&d, set);
	add_inputs(&d, set);
	doc_end(&d);
	*out = d.out;
	free(title);
	return err;
}
