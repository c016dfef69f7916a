// SPDX-License-Identifier: MIT
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/compare.h"
#include "analysis/gate_impl.h"
#include "analysis/power.h"
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

/* ---- one metric of one sample against the baseline ---- */

static bool above_floors(const struct gate_row *r, const struct interval *ci, double value)
{
	return gate_worsening(r, ci->point - 1) > r->floor.relative &&
	       gate_worsening(r, value - r->base) > r->floor.absolute;
}

static bool excludes_one(const struct gate_row *r, const struct interval *ci)
{
	if (r->better > 0)
		return ci->high < 1;
	return ci->low > 1;
}

static bool looks_worse(const struct gate_row *r, const struct interval *ci, double value)
{
	return excludes_one(r, ci) && above_floors(r, ci, value);
}

/* Ratio to the baseline, and the rank sum test. */
static void measure_ratio(struct gate_row *r, const json_t *base, const json_t *rec, struct interval *ci,
			  double *value, struct family_test *t)
{
	size_t na, nb;
	double *a = compare_boot_values(base, r->metric, &na),
	       *b = compare_boot_values(rec, r->metric, &nb);

	*value = stats_median(b, nb);
	r->bimodal |= stats_bimodal(a, na) || stats_bimodal(b, nb);
	t->p = t->least_p = NAN;
	if (MIN(na, nb) >= STATS_MIN_N) {
		t->p = stats_ranksum_p(a, na, b, nb, 1);
		t->least_p = stats_ranksum_least_p(a, na, b, nb);
	}
	stats_lift(a, na, b, nb);
	*ci = stats_hl_ratio_ci(a, na, b, nb, CONFIDENCE);
	spread_widen(&r->between, ci, na, nb, &t->p);
	r->log_sd = power_log_sd(a, na, b, nb);
	free(a);
	free(b);
}

static void screen_row(struct gate_row *r, const json_t *base, const json_t *screen)
{
	double *x = compare_boot_values(base, r->metric, &r->boots[0]);

	r->base = stats_median(x, r->boots[0]);
	free(x);
	free(compare_boot_values(screen, r->metric, &r->boots[1]));
	measure_ratio(r, base, screen, &r->screen, &r->screen_value, &r->test);
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

	measure_ratio(r, base, confirm, &r->confirm, &r->confirm_value, &alone);
	if (isnan(r->confirm.low))
		r->result = GATE_TOO_FEW;
	else if (looks_worse(r, &r->confirm, r->confirm_value))
		r->result = GATE_TRIPPED;
	else
		r->result = GATE_NOT_CONFIRMED;
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

/* What was asked for by name and has no direction is bad when it rises; in exact mode any change is told. */
static int direction_of(const char *metric, bool exact)
{
	const struct metric_info *m = metric_find(metric);

	if (m && m->better)
		return m->better;
	return exact ? 0 : -1;
}

static void make_rows(struct gate *g, const json_t *base, const json_t *screen, const struct gate_opts *o)
{
	json_t *summary = json_object_get(base, "summary"), *v;
	const char *name;

	json_object_foreach (summary, name, v) {
		int better = direction_of(name, g->exact);

		if (!chosen(g, o->metrics, name) || !has_metric(base, name) ||
		    !has_metric(screen, name))
			continue;
		g->row = xgrow(g->row, g->n, sizeof(*g->row));
		g->row[g->n++] = (struct gate_row){
			.metric = name,
			.better = better,
			.floor = gate_floor_of(o->floors, name, g->exact),
			.test.part = family_part_of(name, better, o->headline),
			.between = spreads_find(o->spreads, name),
			.detectable = NAN,
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
		gate_judge_exact(g, base, *screen);
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

bool gate_suspects(const json_t *base, const json_t *rec, const struct gate_opts *opts)
{
	struct gate g = {.exact = is_virtual(base)};
	bool suspect;

	make_rows(&g, base, rec, opts);
	if (g.exact) {
		gate_judge_exact(&g, base, rec);
		conclude(&g);
		suspect = g.tripped;
	} else {
		suspect = screening(&g, base, rec);
	}
	gate_free(&g);
	return suspect;
}

void gate_tell_detectable(struct gate *g)
{
	for (size_t i = 0; i < g->n; i++) {
		struct gate_row *r = &g->row[i];
		double floor = r->floor.relative;

		if (g->exact || isnan(r->test.cut) || isnan(r->log_sd) || isnan(r->screen.low))
			continue;
		if (r->base != 0)
			floor = fmax(floor, r->floor.absolute / fabs(r->base));
		r->detectable = exp(power_gate_shift(&(struct power_gate){
			.base = r->boots[0],
			.screen = r->boots[1],
			.confirm = r->boots[1] * GATE_CONFIRM_FACTOR,
			.log_sd = r->log_sd,
			.cut = r->test.cut,
			.floor = log1p(floor),
			.between = r->between,
		}));
	}
}

void gate_free(struct gate *g)
{
	free(g->row);
	*g = (struct gate){0};
}
