// SPDX-License-Identifier: MIT
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/report.h"
#include "analysis/view.h"
#include "base/file.h"
#include "base/log.h"
#include "base/table.h"
#include "results/record.h"

void report_value(const char *unit, double v, char *buf, size_t size)
{
	/* Units as they follow an SI prefix: "54.6 k/s". */
	const char *short_unit = !strcmp(unit, "bit/s")	  ? "b/s"
				 : !strncmp(unit, "1", 1) ? unit + 1
							  : unit;

	if (!strcmp(unit, "ns"))
		snprintf(buf, size, "%s", fmt_ns(v));
	else if (!strcmp(unit, "%"))
		snprintf(buf, size, "%.3g %%", v);
	else if (fabs(v) < 999.5)
		snprintf(buf, size, "%.3g%s%s", v, *short_unit ? " " : "", short_unit);
	else
		snprintf(buf, size, "%s%s", fmt_si(v), short_unit);
}

/* ---- header of every table over the records ---- */

struct header {
	const char **name;
	char **owned;
	size_t n;
};

static struct header header_of(const struct fig_set *set, const char *first)
{
	struct header h = {xcalloc(set->n + 1, sizeof(*h.name)),
			   xcalloc(set->n + 1, sizeof(*h.owned)), set->n + 1};

	h.name[0] = first;
	for (size_t i = 0; i < set->n; i++) {
		char *label = fig_label(set, i, NULL);

		h.owned[i] = xasprintf(":%s", label);
		h.name[i + 1] = h.owned[i];
		free(label);
	}
	return h;
}

static void header_free(struct header *h)
{
	for (size_t i = 0; i < h->n; i++)
		free(h->owned[i]);
	free(h->owned);
	free(h->name);
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
		if (view_summary(set->rec[i], name, &iv))
			value_cell(d, unit, &iv);
		else
			doc_cell(d, "");
	}
}

/* The metric and its kinds ("exit_cost_ns.cpuid"), in whichever records have them. */
static void metric_rows(struct doc *d, const struct fig_set *set, const struct metric_info *m)
{
	json_t *seen = json_object(), *v;
	size_t len = strlen(m->name);
	const char *name;

	for (size_t i = 0; i < set->n; i++)
		json_object_foreach (json_object_get(set->rec[i], "summary"), name, v)
			if (!strncmp(name, m->name, len) &&
			    (!name[len] || (name[len] == '.' && !metric_find(name))))
				json_object_set_new(seen, name, json_true());
	json_object_foreach (seen, name, v)
		metric_row(d, set, name, m->unit);
	json_decref(seen);
}

static void add_results(struct doc *d, const struct fig_set *set)
{
	struct header h = header_of(set, "metric");

	doc_heading(d, "Results");
	doc_para(
		d,
		"Medians over boots with their 95 % intervals; no interval where there are fewer "
		"than 6 boots.");
	doc_table_begin(d, h.n, h.name);
	for (const struct metric_info *m = metric_table; m->name; m++)
		metric_rows(d, set, m);
	doc_cell(d, "boots (n)");
	for (size_t i = 0; i < set->n; i++) {
		char n[24];

		snprintf(n, sizeof(n), "%zu", view_n(set->rec[i]));
		doc_cell(d, n);
	}
	doc_table_end(d);
	header_free(&h);
}

static int by_total(const void *a, const void *b)
{
	double x = view_num(*(json_t *const *)a, "total_ns"),
	       y = view_num(*(json_t *const *)b, "total_ns");

	return (x < y) - (x > y);
}

static void exit_row(struct doc *d, const json_t *e, double all_ns)
{
	const double count = view_num(e, "count"), total = view_num(e, "total_ns");
	char cell[48];

	doc_cell(d, view_str(e, "reason"));
	doc_cell(d, *view_str(e, "device") ? view_str(e, "device") : view_str(e, "key"));
	doc_cell(d, fmt_si(count));
	snprintf(cell, sizeof(cell), "%.1f %%", all_ns > 0 ? 100 * total / all_ns : 0);
	doc_cell(d, cell);
	doc_cell(d, count > 0 ? fmt_ns(total / count) : "");
	doc_cell(d, fmt_ns(view_num(e, "p50_ns")));
	doc_cell(d, fmt_ns(view_num(e, "p99_ns")));
	snprintf(cell, sizeof(cell), "%.0f %%",
		 total > 0 ? 100 * view_num(e, "user_ns") / total : 0);
	doc_cell(d, cell);
}

static void add_exits(struct doc *d, const struct fig_set *set, size_t i)
{
	static const char *const header[] = {"reason", "what",	  ":exits", ":time",
					     ":mean",  ":median", ":p99",   ":userspace"};
	const json_t *exits = json_object_get(set->rec[i], "exits");
	size_t n = json_array_size(exits), k;
	json_t **row = xcalloc(n + 1, sizeof(*row));
	char *label = fig_label(set, i, NULL);
	double all_ns = 0;

	for (k = 0; k < n; k++) {
		row[k] = json_array_get(exits, k);
		all_ns += view_num(row[k], "total_ns");
	}
	qsort(row, n, sizeof(*row), by_total);
	if (n) {
		doc_subheading(d, label);
		doc_table_begin(d, ARRAY_SIZE(header), header);
		for (k = 0; k < MIN(n, (size_t)12); k++)
			exit_row(d, row[k], all_ns);
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

static void environment_rows(struct doc *d, const char *prefix, const json_t *obj)
{
	const char *key;
	json_t *v;

	json_object_foreach ((json_t *)obj, key, v) {
		char *name, *text;

		if (json_is_object(v) || json_is_null(v))
			continue;
		name = xasprintf("%s%s", prefix, key);
		text = json_is_string(v) ? xstrdup(json_string_value(v))
					 : json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
		add_fact(d, name, text ? text : "");
		free(text);
		free(name);
	}
}

/* "none, linux": what the records have of a field, each once. */
static void add_all(struct doc *d, const struct fig_set *set, const char *field)
{
	struct strbuf sb = STRBUF_INIT;

	for (size_t i = 0; i < set->n; i++) {
		const char *s = view_str(set->rec[i], field);
		size_t k = 0;

		while (k < i && strcmp(view_str(set->rec[k], field), s))
			k++;
		if (k == i && *s)
			strbuf_addf(&sb, "%s%s", sb.len ? ", " : "", s);
	}
	add_fact(d, field, strbuf_str(&sb));
	strbuf_free(&sb);
}

/* Of the first record; what differs in the others is an anomaly and said there. */
static void add_environment(struct doc *d, const struct fig_set *set)
{
	static const char *const header[] = {"environment/20", "value/74"};
	const json_t *env = json_object_get(set->rec[0], "environment");
	const char *key;
	json_t *v;

	doc_heading(d, "Environment");
	doc_table_begin(d, 2, header);
	add_all(d, set, "substrate");
	add_all(d, set, "time_base");
	add_all(d, set, "guest");
	environment_rows(d, "", env);
	json_object_foreach ((json_t *)env, key, v) {
		char *prefix = xasprintf("%s.", key);

		if (json_is_object(v) && strcmp(key, "noise"))
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
		struct strbuf argv = STRBUF_INIT;
		const json_t *word;
		size_t k;

		json_array_foreach (json_object_get(set->rec[i], "argv"), k, word)
			strbuf_addf(&argv, "%s%s", k ? " " : "",
				    json_string_value(word) ? json_string_value(word) : "?");
		doc_cell(d, view_str(set->rec[i], "id"));
		doc_cell(d, view_str(set->rec[i], "started"));
		doc_cell(d, strbuf_str(&argv));
		strbuf_free(&argv);
	}
	doc_table_end(d);
}

static bool has_input(const json_t *all, const json_t *in)
{
	const json_t *other;
	size_t i;

	json_array_foreach (all, i, other)
		if (!strcmp(view_str(other, "name"), view_str(in, "name")) &&
		    !strcmp(view_str(other, "sha256"), view_str(in, "sha256")))
			return true;
	return false;
}

/* Every binary, once, whichever of the records ran it. */
static void add_inputs(struct doc *d, const struct fig_set *set)
{
	static const char *const header[] = {"input", "version", "build", "sha256"};
	json_t *all = json_array(), *in;
	size_t k;

	for (size_t i = 0; i < set->n; i++)
		json_array_foreach (json_object_get(set->rec[i], "inputs"), k, in)
			if (!has_input(all, in))
				json_array_append(all, in);
	if (json_array_size(all)) {
		doc_table_begin(d, ARRAY_SIZE(header), header);
		json_array_foreach (all, k, in) {
			doc_cell(d, view_str(in, "name"));
			doc_cell(d, view_str(in, "version"));
			doc_cell(d, view_str(in, "build"));
			doc_cell(d, view_str(in, "sha256"));
		}
		doc_table_end(d);
	}
	json_decref(all);
}

/* Draw a figure, put it in, and say nothing when the records do not have its data. */
static int add_figure(struct doc *d, const struct fig_set *set, const struct report_opts *opts,
		      const struct figure *fig, const char *stem)
{
	static const enum fig_format format_of[] = {
		[DOC_HTML] = FIG_SVG, [DOC_MD] = FIG_SVG, [DOC_TEX] = FIG_PDF};
	struct fig_target to = {opts->figure_dir, stem, format_of[d->format],
				d->format == DOC_TEX ? 3.3 : 7, false};
	struct strbuf svg = STRBUF_INIT, caption = STRBUF_INIT;
	const char *ext = figure_format_name(to.format);
	char *why, *path, *text, *ref;
	int err = figure_render(fig, set, &to, &why);

	free(why);
	if (err)
		return err == -ENODATA ? 0 : err;
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
		if (!f->each) {
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

	strbuf_addf(&sb, "%s:", view_str(set->rec[0], "workload"));
	for (size_t i = 0; i < set->n && i < 8; i++) {
		char *label = fig_label(set, i, NULL);

		strbuf_addf(&sb, "%s %s", i ? ";" : "", label);
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
