// SPDX-License-Identifier: MIT
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/compare.h"
#include "analysis/gate.h"
#include "base/file.h"
#include "base/log.h"
#include "results/record.h"

#define CONFIDENCE 0.95
#define SCREEN_FDR 0.05 /* over the metrics of the screening sample */

const char *gate_result_text(enum gate_result r)
{
	static const char *const text[] = {"pass",    "better",	    "not confirmed",
					   "TRIPPED", "not judged", "too few boots",
					   "too few boots for so many metrics"};

	return text[r];
}

/* ---- floors ---- */

static int parse_floor(const char *line, struct gate_floor *f)
{
	char metric[64], percent, rest;
	double relative, absolute = 0;
	int n = sscanf(line, "%63s %lf %c %lf %c", metric, &relative, &percent, &absolute, &rest);

	if ((n != 3 && n != 4) || percent != '%' || !(relative >= 0) || !(absolute >= 0))
		return -EINVAL;
	*f = (struct gate_floor){xstrdup(metric), relative / 100, absolute};
	return 0;
}

int gate_floors_read(struct gate_floors *f, const char *path)
{
	struct strbuf sb = STRBUF_INIT;
	int err = file_read(path, &sb), number = 0;
	char *save = NULL;

	*f = (struct gate_floors){NULL, 0};
	if (err)
		log_error("%s: %s", path, strerror(-err));
	for (char *line = err ? NULL : sb.buf; line && !err; line = save) {
		save = strchr(line, '\n');
		if (save)
			*save++ = '\0';
		number++;
		line[strcspn(line, "#\r")] = '\0';
		if (!line[strspn(line, " \t")])
			continue;
		f->v = xgrow(f->v, f->n, sizeof(*f->v));
		err = parse_floor(line, &f->v[f->n]);
		if (err)
			log_error("%s:%d: expected METRIC RELATIVE%% [ABSOLUTE], e.g. "
				  "throughput_bps 2%% 1e6",
				  path, number);
		else
			f->n++;
	}
	strbuf_free(&sb);
	if (err)
		gate_floors_free(f);
	return err;
}

void gate_floors_free(struct gate_floors *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->v[i].metric);
	free(f->v);
	*f = (struct gate_floors){NULL, 0};
}

/* In exact mode nothing has a floor that a file does not give it. */
static struct gate_floor floor_of(const struct gate_floors *f, const char *metric, bool exact)
{
	struct gate_floor any = {NULL, exact ? 0 : GATE_DEFAULT_RELATIVE, 0};

	for (size_t i = 0; f && i < f->n; i++) {
		if (!strcmp(f->v[i].metric, metric))
			return f->v[i];
		if (!strcmp(f->v[i].metric, "*"))
			any = f->v[i];
	}
	return any;
}

/* ---- one metric of one sample against the baseline ---- */

/* Positive: worse, whichever direction that is. */
static double worsening(const struct gate_row *r, double change)
{
	return r->better > 0 ? -change : change;
}

static bool above_floors(const struct gate_row *r, const struct interval *ci, double value)
{
	return worsening(r, ci->point - 1) > r->floor.relative &&
	       worsening(r, value - r->base) > r->floor.absolute;
}

static bool excludes_one(const struct gate_row *r, const struct interval *ci)
{
	return r->better > 0 ? ci->high < 1 : ci->low > 1;
}

static bool looks_worse(const struct gate_row *r, const struct interval *ci, double value)
{
	return excludes_one(r, ci) && above_floors(r, ci, value);
}

/*
 * Ratio to the baseline, and the rank sum test. What may be zero has no ratio: 1 is added to both,
 * which leaves zero against zero as 1 and moves small counts towards it, never away.
 */
static void measure(const json_t *base, const json_t *rec, const char *metric, struct interval *ci,
		    double *value, struct family_test *t)
{
	size_t na, nb;
	double *a = compare_boot_values(base, metric, &na),
	       *b = compare_boot_values(rec, metric, &nb);

	*value = stats_median(b, nb);
	*ci = stats_hl_ratio_ci(a, na, b, nb, CONFIDENCE);
	if (na && nb && isnan(ci->point)) {
		for (size_t i = 0; i < na; i++)
			a[i]++;
		for (size_t i = 0; i < nb; i++)
			b[i]++;
		*ci = stats_hl_ratio_ci(a, na, b, nb, CONFIDENCE);
	}
	t->p = t->least_p = NAN;
	if (ci->n >= STATS_MIN_N) {
		t->p = stats_ranksum_p(a, na, b, nb, 1);
		t->least_p = stats_ranksum_least_p(a, na, b, nb);
	}
	free(a);
	free(b);
}

static void screen_row(struct gate_row *r, const json_t *base, const json_t *screen)
{
	size_t n;
	double *x = compare_boot_values(base, r->metric, &n);

	r->base = stats_median(x, n);
	free(x);
	measure(base, screen, r->metric, &r->screen, &r->screen_value, &r->test);
}

static void judge_screening(struct gate_row *r)
{
	bool passed;

	if (isnan(r->screen.low)) {
		r->result = GATE_TOO_FEW;
		return;
	}
	passed = r->test.adjusted <= SCREEN_FDR;
	r->suspect = looks_worse(r, &r->screen, r->screen_value) && passed;
	if (excludes_one(&(struct gate_row){.better = -r->better}, &r->screen) && passed)
		r->result = GATE_BETTER;
	else if (looks_worse(r, &r->screen, r->screen_value) && family_too_large(&r->test))
		r->result = GATE_TOO_MANY;
}

static void judge_confirmation(struct gate_row *r, const json_t *base, const json_t *confirm)
{
	struct family_test alone;

	measure(base, confirm, r->metric, &r->confirm, &r->confirm_value, &alone);
	if (isnan(r->confirm.low))
		r->result = GATE_TOO_FEW;
	else
		r->result = looks_worse(r, &r->confirm, r->confirm_value) ? GATE_TRIPPED
									  : GATE_NOT_CONFIRMED;
}

/* ---- exact ---- */

/* Two baselines that disagree, or a value off the baseline's by more than a floor that was asked for:
 * a change, unless it is for the better. */
static enum gate_result judge_value(const struct gate_row *r, double least, double most, double value)
{
	double off = fabs(value - r->base);

	if (value == least && value == most)
		return GATE_PASS;
	if (r->better && worsening(r, value - r->base) < 0 && least == most)
		return GATE_BETTER;
	return off > r->floor.relative * fabs(r->base) && off > r->floor.absolute ? GATE_TRIPPED
										  : GATE_PASS;
}

static void judge_exact(struct gate_row *r, const json_t *base, const json_t *screen)
{
	size_t na, nb;
	double *a = compare_boot_values(base, r->metric, &na),
	       *b = compare_boot_values(screen, r->metric, &nb);
	double least = INFINITY, most = -INFINITY;

	for (size_t i = 0; i < na; i++) {
		least = fmin(least, a[i]);
		most = fmax(most, a[i]);
	}
	r->base = stats_median(a, na);
	r->screen_value = stats_median(b, nb);
	r->screen =
		(struct interval){r->base ? r->screen_value / r->base : NAN, NAN, NAN, MIN(na, nb)};
	r->result = GATE_PASS;
	for (size_t i = 0; i < nb && r->result != GATE_TRIPPED; i++) {
		enum gate_result one = judge_value(r, least, most, b[i]);

		r->result = one == GATE_PASS ? r->result : one;
	}
	free(a);
	free(b);
}

/* ---- the gate ---- */

/* By default what is good or bad when high; in exact mode a change of anything is of interest. */
static bool chosen(const struct gate *g, const char *const *metrics, const char *name)
{
	const struct metric_info *m = metric_find(name);

	if (!metrics)
		return g->exact || (m && m->better);
	for (; *metrics; metrics++)
		if (!strcmp(*metrics, name))
			return true;
	return false;
}

static bool has_metric(const json_t *rec, const char *metric)
{
	size_t n;

	free(record_values(rec, metric, &n));
	return n > 0;
}

static void make_rows(struct gate *g, const json_t *base, const json_t *screen, const struct gate_opts *o)
{
	json_t *summary = json_object_get(base, "summary"), *v;
	const char *name;

	json_object_foreach (summary, name, v) {
		const struct metric_info *m = metric_find(name);

		if (!chosen(g, o->metrics, name) || !has_metric(base, name) ||
		    !has_metric(screen, name))
			continue;
		g->row = xgrow(g->row, g->n, sizeof(*g->row));
		g->row[g->n++] = (struct gate_row){
			.metric = name,
			.better = m && m->better ? m->better
				  : g->exact	 ? 0
						 : -1,
			.floor = floor_of(o->floors, name, g->exact),
			.test.part = family_part_of(name, m && m->better ? m->better : -1, o->headline),
			.confirm = {NAN, NAN, NAN, 0},
			.confirm_value = NAN,
		};
	}
}

static bool screening(struct gate *g, const json_t *base, const json_t *screen)
{
	struct family_test *t = xcalloc(g->n, sizeof(*t));
	bool suspect = false;

	for (size_t i = 0; i < g->n; i++) {
		screen_row(&g->row[i], base, screen);
		t[i] = g->row[i].test;
	}
	family_adjust(t, g->n, SCREEN_FDR);
	for (size_t i = 0; i < g->n; i++) {
		g->row[i].test = t[i];
		judge_screening(&g->row[i]);
		suspect |= g->row[i].suspect;
	}
	free(t);
	return suspect;
}

/* A metric that few boots of the baseline had (an optional part of the workload) must not hold up
 * the others, unless it was asked for; one that the new sample has lost must. */
static void pass_over(struct gate *g, const json_t *base)
{
	for (size_t i = 0; i < g->n; i++) {
		size_t n;

		free(compare_boot_values(base, g->row[i].metric, &n));
		if (g->row[i].result == GATE_TOO_FEW && n < STATS_MIN_N)
			g->row[i].result = GATE_NOT_JUDGED;
	}
}

static bool judged_any(const struct gate *g)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->row[i].result != GATE_NOT_JUDGED)
			return true;
	return false;
}

static void conclude(struct gate *g)
{
	g->undecided = !judged_any(g);
	for (size_t i = 0; i < g->n; i++) {
		g->tripped |= g->row[i].result == GATE_TRIPPED;
		g->undecided |= g->row[i].result == GATE_TOO_FEW || g->row[i].result == GATE_TOO_MANY;
	}
}

static double relative_change(const struct gate_row *r)
{
	if (r->screen_value == r->base)
		return 0;
	return r->base != 0 ? fabs(r->screen_value / r->base - 1) : INFINITY;
}

/* The largest first: the needless exit stands above the nanoseconds that it costs. */
static int by_change(const void *a, const void *b)
{
	double x = relative_change(a), y = relative_change(b);

	return x != y ? (x < y) - (x > y)
		      : strcmp(((const struct gate_row *)a)->metric, ((const struct gate_row *)b)->metric);
}

static bool is_virtual(const json_t *rec)
{
	return !strcmp(record_str(rec, "time_base"), "virtual");
}

int gate_run(struct gate *g, const json_t *base, const struct gate_source *source,
	     const struct gate_opts *opts, json_t **screen, json_t **confirm)
{
	*g = (struct gate){.exact = is_virtual(base)};
	*confirm = NULL;
	*screen = source->take(source->ctx, "screening");
	if (!*screen)
		return -EIO;
	make_rows(g, base, *screen, opts);
	if (!g->n) {
		log_error("gate: the baseline and the new sample have none of the metrics in "
			  "common; see bench show");
		return -ENOENT;
	}
	if (g->exact) {
		for (size_t i = 0; i < g->n; i++)
			judge_exact(&g->row[i], base, *screen);
		qsort(g->row, g->n, sizeof(*g->row), by_change);
	} else if (screening(g, base, *screen)) {
		*confirm = source->take(source->ctx, "confirmation");
		if (!*confirm)
			return -EIO;
		for (size_t i = 0; i < g->n; i++)
			if (g->row[i].suspect)
				judge_confirmation(&g->row[i], base, *confirm);
	}
	if (!opts->metrics)
		pass_over(g, base);
	conclude(g);
	return 0;
}

void gate_free(struct gate *g)
{
	free(g->row);
	*g = (struct gate){0};
}

static double count_of(const json_t *rec, const char *reason, const char *key)
{
	json_t *e;
	size_t i;

	json_array_foreach (json_object_get(rec, "exits"), i, e)
		if (!strcmp(record_str(e, "reason"), reason) && !strcmp(record_str(e, "key"), key))
			return json_number_value(json_object_get(e, "count"));
	return 0;
}

static void print_changed(const json_t *of, const json_t *base, const json_t *screen, bool only_new,
			  FILE *out)
{
	json_t *e;
	size_t i;

	json_array_foreach (json_object_get(of, "exits"), i, e) {
		const char *reason = record_str(e, "reason"), *key = record_str(e, "key");
		const char *device = record_str(e, "device");
		double a = count_of(base, reason, key), b = count_of(screen, reason, key);

		if (a != b && !(only_new && a))
			fprintf(out, "exit %s%s%s: %.10g -> %.10g per boot\n", reason,
				*key ? " " : "", *device ? device : key, a, b);
	}
}

void gate_print_exits(const json_t *base, const json_t *screen, FILE *out)
{
	print_changed(base, base, screen, false, out);
	print_changed(screen, base, screen, true, out);
}
