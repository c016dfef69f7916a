// SPDX-License-Identifier: MIT
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/ab.h"
#include "analysis/compare.h"
#include "analysis/gate_impl.h"
#include "analysis/pairs.h"
#include "results/record.h"

/* What would have to be looked at again before it is said that nothing is worse. */
#define SUSPECT_P 0.05

const char *ab_result_text(enum ab_result r)
{
	static const char *const text[] = {"no evidence", "equal", "better", "WORSE", "undecided",
					   "too few pairs"};

	return text[r];
}

const char *ab_verdict_text(enum ab_verdict v)
{
	static const char *const text[] = {"no evidence that B is worse or better", "B is better",
					   "B is WORSE", "undecided"};

	return text[v];
}

/* ---- looks ---- */

/* Ten pairs decide one metric, fourteen those of a workload's headline; then by two fifths. */
static const size_t look_at[] = {10, 14, 20, 28, 40, 56, 80, 112, 160, 224, 320, 448, 640, AB_LIMIT_MAX};

size_t ab_next_look(size_t pairs, size_t limit)
{
	if (pairs >= limit)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(look_at); i++)
		if (look_at[i] > pairs)
			return MIN(look_at[i], limit);
	return 0;
}

size_t ab_count_looks(size_t limit)
{
	size_t n = 0;

	for (size_t at = 0; (at = ab_next_look(at, limit));)
		n++;
	return n;
}

static size_t look_number(size_t rounds, size_t limit)
{
	size_t n = 0;

	for (size_t at = 0; at < rounds && (at = ab_next_look(at, limit));)
		n++;
	return n;
}

/* ---- pairs ---- */

/* Two good boots of one round each. */
struct good {
	struct record_sample *a, *b;
	size_t n;
};

static bool sample_of_boot(const json_t *rec, size_t boot, struct record_sample *out)
{
	const json_t *samples = json_object_get(rec, "samples");

	for (size_t i = 0; record_sample(samples, i, out); i++)
		if (out->boot == (int64_t)boot && out->ok)
			return true;
	return false;
}

static struct good good_pairs(const json_t *a, const json_t *b, size_t rounds)
{
	struct good g = {xcalloc(rounds, sizeof(*g.a)), xcalloc(rounds, sizeof(*g.b)), 0};

	for (size_t i = 0; i < rounds; i++)
		g.n += sample_of_boot(a, i, &g.a[g.n]) && sample_of_boot(b, i, &g.b[g.n]);
	return g;
}

static void good_free(struct good *g)
{
	free(g->a);
	free(g->b);
}

/* One metric of them. */
struct values {
	double *a, *b;
	size_t n;
};

static struct values values_of(const struct good *g, const char *metric)
{
	struct values v = {xcalloc(g->n, sizeof(*v.a)), xcalloc(g->n, sizeof(*v.b)), 0};

	for (size_t i = 0; i < g->n; i++)
		v.n += record_value(&g->a[i], metric, &v.a[v.n]) && record_value(&g->b[i], metric, &v.b[v.n]);
	return v;
}

static void values_free(struct values *v)
{
	free(v->a);
	free(v->b);
}

/* ---- rows ---- */

static bool named(const char *const *metrics, const char *name)
{
	for (; *metrics; metrics++)
		if (!strcmp(*metrics, name))
			return true;
	return false;
}

/*
 * By default what is good or bad when high; what is asked for by name and has no direction is bad when it
 * rises.
 */
static int direction_of(const char *metric, const char *const *metrics)
{
	const struct metric_info *m = metric_find(metric);

	if (metrics && !named(metrics, metric))
		return 0;
	if (m && m->better)
		return m->better;
	return metrics ? -1 : 0;
}

static bool has_row(const struct ab *ab, const char *metric)
{
	for (size_t i = 0; i < ab->n; i++)
		if (!strcmp(ab->row[i].metric, metric))
			return true;
	return false;
}

/* Not what few boots of A have, an optional part of the workload: B has to have what A has. */
static bool is_usual(const struct good *g, const char *metric)
{
	size_t n = 0;
	double v;

	for (size_t i = 0; i < g->n; i++)
		n += record_value(&g->a[i], metric, &v);
	return 2 * n > g->n;
}

static void make_rows(struct ab *ab, const struct good *g, const struct ab_opts *o)
{
	const char *name;
	json_t *v;

	for (size_t i = 0; i < g->n; i++) {
		json_object_foreach (g->a[i].metrics, name, v) {
			int better = direction_of(name, o->metrics);

			if (!better || has_row(ab, name) || !is_usual(g, name))
				continue;
			ab->row = xgrow(ab->row, ab->n, sizeof(*ab->row));
			ab->row[ab->n++] = (struct ab_row){
				.metric = name,
				.better = better,
				.floor = gate_floor_of(o->floors, name, false),
				.test.part = family_part_of(name, better, o->headline),
			};
		}
	}
}

static bool all_equal(const struct values *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->a[i] != p->b[i])
			return false;
	return p->n > 0;
}

static void test_row(struct ab_row *r, struct values *p)
{
	double *d = xcalloc(p->n, sizeof(*d));

	r->a = stats_median(p->a, p->n);
	r->b = stats_median(p->b, p->n);
	r->test.p = r->test.least_p = NAN;
	r->result = all_equal(p) ? AB_EQUAL : AB_NO_EVIDENCE;
	stats_lift(p->a, p->n, p->b, p->n);
	for (size_t i = 0; i < p->n; i++)
		d[i] = log(p->b[i]) - log(p->a[i]);
	if (p->n) {
		r->test.p = pairs_signed_rank_p(d, p->n);
		r->test.least_p = pairs_least_p(d, p->n);
	}
	free(d);
}

/* ---- judgement ---- */

/* For the worse when factor is 1, for the better when it is -1. */
static bool beyond_floor(const struct ab_row *r, int factor)
{
	struct gate_row as = {.better = factor * r->better};

	return gate_worsening(&as, r->ratio.point - 1) > r->floor.relative &&
	       gate_worsening(&as, r->b - r->a) > r->floor.absolute;
}

static bool holds_margin(const struct ab_row *r, double margin)
{
	double worst = r->better > 0 ? 1 - r->ratio.low : r->ratio.high - 1;

	return !(worst < margin);
}

/* Even if all of them went one way. */
static bool has_too_few(const struct ab_row *r, double cut)
{
	return ldexp(1, 1 - (int)r->ratio.n) > cut;
}

static void judge_row(struct ab_row *r, double rate, double margin)
{
	bool passed = r->test.adjusted <= rate; /* false outside the family */

	if (has_too_few(r, isnan(r->test.cut) ? rate : r->test.cut))
		r->result = AB_TOO_FEW;
	if (r->result == AB_EQUAL)
		return;
	if (passed && beyond_floor(r, 1))
		r->result = AB_WORSE;
	else if (passed && beyond_floor(r, -1))
		r->result = AB_BETTER;
	else if (r->result == AB_NO_EVIDENCE && margin > 0 && holds_margin(r, margin))
		r->result = AB_OPEN;
}

static bool is_suspect(const struct ab_row *r)
{
	return r->test.p <= SUSPECT_P && beyond_floor(r, 1);
}

/* Beside the headline nothing has to be shown, only not to be worse. */
static bool is_asked(const struct ab *ab, const struct ab_row *r)
{
	for (size_t i = 0; i < ab->n; i++)
		if (ab->row[i].test.part == FAMILY_HEADLINE)
			return r->test.part == FAMILY_HEADLINE;
	return true;
}

static size_t count_asked(const struct ab *ab, enum ab_result result)
{
	size_t n = 0;

	for (size_t i = 0; i < ab->n; i++)
		n += ab->row[i].result == result && is_asked(ab, &ab->row[i]);
	return n;
}

static size_t count_results(const struct ab *ab, enum ab_result result)
{
	size_t n = 0;

	for (size_t i = 0; i < ab->n; i++)
		n += ab->row[i].result == result;
	return n;
}

static bool any_suspect(const struct ab *ab)
{
	for (size_t i = 0; i < ab->n; i++)
		if (is_suspect(&ab->row[i]))
			return true;
	return false;
}

/* Nothing to judge, half of the pairs lost, or so few that no values whatever would have been a verdict. */
static bool says_nothing(const struct ab *ab)
{
	return !ab->n || ab->failed > ab->pairs || count_asked(ab, AB_TOO_FEW);
}

static void conclude(struct ab *ab, const struct ab_opts *o)
{
	bool open = o->margin > 0 && count_asked(ab, AB_OPEN);

	if (count_results(ab, AB_WORSE))
		ab->verdict = AB_SAYS_WORSE;
	else if (count_results(ab, AB_BETTER))
		ab->verdict = AB_SAYS_BETTER;
	else if (says_nothing(ab) || open)
		ab->verdict = AB_SAYS_UNDECIDED;
	ab->decided = ab->verdict == AB_SAYS_WORSE || (ab->verdict == AB_SAYS_BETTER && !any_suspect(ab)) ||
		      (ab->verdict == AB_SAYS_NO_EVIDENCE && o->margin > 0);
}

/* Each look has the same share; what the family leaves to a row alone is the confidence of its interval. */
static void judge_rows(struct ab *ab, const struct good *g, const struct ab_opts *o)
{
	double rate = AB_ALPHA / (double)MAX(ab->looks, 1U);
	struct family_test *t = xcalloc(ab->n, sizeof(*t));
	struct values *p = xcalloc(ab->n, sizeof(*p));

	for (size_t i = 0; i < ab->n; i++) {
		p[i] = values_of(g, ab->row[i].metric);
		test_row(&ab->row[i], &p[i]);
		t[i] = ab->row[i].test;
	}
	family_adjust(t, ab->n, rate);
	for (size_t i = 0; i < ab->n; i++) {
		double cut = isnan(t[i].cut) ? rate : t[i].cut;

		ab->row[i].test = t[i];
		ab->row[i].ratio = pairs_ratio_ci(p[i].a, p[i].b, p[i].n, 1 - cut);
		judge_row(&ab->row[i], rate, o->margin);
		values_free(&p[i]);
	}
	free(p);
	free(t);
}

void ab_judge(struct ab *ab, const json_t *a, const json_t *b, size_t rounds, const struct ab_opts *o)
{
	struct good g = good_pairs(a, b, rounds);

	*ab = (struct ab){.pairs = g.n,
			  .failed = rounds - g.n,
			  .look = look_number(rounds, o->limit),
			  .looks = ab_count_looks(o->limit),
			  .next = ab_next_look(rounds, o->limit)};
	make_rows(ab, &g, o);
	judge_rows(ab, &g, o);
	conclude(ab, o);
	good_free(&g);
}

void ab_free(struct ab *ab)
{
	free(ab->row);
	*ab = (struct ab){0};
}
