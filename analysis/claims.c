// SPDX-License-Identifier: MIT
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/claims_impl.h"
#include "analysis/compare.h"
#include "analysis/report.h"
#include "base/strbuf.h"
#include "results/record.h"

const char *claim_state_text(enum claim_state s)
{
	static const char *const text[] = {"yes", "no", "cannot tell", "not measured"};

	return text[s];
}

const char *claim_section_text(enum claim_section s)
{
	static const char *const text[] = {"Claims", "Claims of hardware assistance",
					   "Firecracker's specification"};

	return text[s];
}

static bool fits(const char *want, const char *is)
{
	return !want || !strcmp(want, is);
}

static bool knobs_fit(const char *want, const json_t *rec)
{
	char name[32], value[32];
	int len = 0;

	for (; want && sscanf(want, " %31[^=]=%31s%n", name, value, &len) == 2; want += len)
		if (strcmp(record_str(json_object_get(rec, "knobs"), name), value) != 0)
			return false;
	return true;
}

/* Several VMs at once are a case of their own: only who asks for it gets it. */
static bool vms_fit(const char *want, const json_t *rec)
{
	const char *vms = record_str(json_object_get(rec, "knobs"), "vms");

	return (want && strstr(want, "vms=")) || !*vms || !strcmp(vms, "1");
}

/* Is it of that kind: "REASON", or "REASON KEY"? */
static bool is_exit(const struct record_exit *e, const char *kind)
{
	size_t len = strlen(e->reason);

	if (strncmp(kind, e->reason, len) != 0)
		return false;
	return !kind[len] || (kind[len] == ' ' && !strcmp(kind + len + 1, e->key));
}

static double exit_count(const struct record_sample *s, const char *kind)
{
	struct record_exit e;
	double sum = 0;

	for (size_t i = 0; record_exit(s->exits, i, &e); i++)
		if (is_exit(&e, kind))
			sum += e.count;
	return sum;
}

/* Of every boot that tells its exits: how many were of that kind. NULL and 0 when none does. */
static double *exit_counts(const json_t *rec, const char *kind, size_t *n)
{
	const json_t *samples = record_of(rec).samples;
	double *x = xcalloc(json_array_size(samples) + 1, sizeof(*x));
	struct record_sample s;

	*n = 0;
	for (size_t i = 0; record_sample(samples, i, &s); i++)
		if (s.ok && json_array_size(s.exits))
			x[(*n)++] = exit_count(&s, kind);
	if (*n)
		return x;
	free(x);
	return NULL;
}

/* One value per boot; the caller frees. */
static double *boot_values(const json_t *rec, const char *metric, size_t *n)
{
	static const char kinds[] = "exits.";

	if (!strncmp(metric, kinds, sizeof(kinds) - 1))
		return exit_counts(rec, metric + sizeof(kinds) - 1, n);
	return compare_boot_values(rec, metric, n);
}

static bool has_metric(const json_t *rec, const char *metric)
{
	size_t n;

	free(boot_values(rec, metric, &n));
	return n > 0;
}

static bool is_of_two(const struct claim *c)
{
	return c->kind == RATIO || c->kind == DIFFERENCE;
}

static bool has_two_places(const struct claim *c)
{
	return c->b.substrate && strcmp(c->a.substrate, c->b.substrate) != 0;
}

static bool any_place(const json_t *a, const json_t *b)
{
	return a != b;
}

static bool same_place(const json_t *a, const json_t *b)
{
	return !strcmp(record_str(a, "substrate"), record_str(b, "substrate")) &&
	       !strcmp(record_str(a, "time_base"), record_str(b, "time_base"));
}

static const char *metric_of_side(const struct claim *c, const struct claim_side *s)
{
	if (s == &c->b)
		return text_or(c->per, c->metric);
	return c->metric;
}

static bool answers(const json_t *rec, const struct claim *c, const struct claim_side *s)
{
	return fits(c->workload, record_str(rec, "workload")) && fits(s->mode, record_str(rec, "mode")) &&
	       fits(s->vmm, record_str(rec, "vmm")) &&
	       fits(s->substrate, record_str(rec, "substrate")) &&
	       fits(s->guest, record_str(rec, "guest")) && knobs_fit(s->knobs, rec) &&
	       vms_fit(s->knobs, rec) &&
	       has_metric(rec, metric_of_side(c, s));
}

static bool same_plan(const json_t *a, const json_t *b)
{
	const char *plan = record_str(a, "plan_id");

	return a == b || (*plan && !strcmp(plan, record_str(b, "plan_id")));
}

static const json_t *find_other(json_t *const *rec, size_t n, const struct claim *c, const json_t *a,
				bool (*related)(const json_t *, const json_t *))
{
	while (n--)
		if (related(a, rec[n]) && answers(rec[n], c, &c->b))
			return rec[n];
	return NULL;
}

/* The last that fit; of a ratio the last two of one plan, whose boots were interleaved, before any others. */
static void find_sides(json_t *const *rec, size_t n, const struct claim *c, const json_t **a,
		       const json_t **b)
{
	const json_t *last = NULL;

	*b = NULL;
	for (size_t i = n; i-- > 0;) {
		if (!answers(rec[i], c, &c->a))
			continue;
		if (!last)
			last = rec[i];
		*a = rec[i];
		if (!is_of_two(c))
			return;
		*b = find_other(rec, n, c, rec[i], same_plan);
		if (*b)
			return;
	}
	*a = last;
	if (last)
		*b = find_other(rec, n, c, last, has_two_places(c) ? any_place : same_place);
}

/* Of one record, or (a ratio) of two. */
static struct interval claimed_value(const struct claim *c, const json_t *a, const json_t *b)
{
	size_t na, nb;
	double *x = boot_values(a, c->metric, &na), *y;
	struct interval ci;

	if (b) {
		y = boot_values(b, metric_of_side(c, &c->b), &nb);
		if (c->kind == RATIO)
			ci = stats_ratio_ci(y, nb, x, na, 1);
		else
			ci = stats_difference_ci(y, nb, x, na, 1);
		free(y);
	} else {
		ci = stats_median_ci(x, na);
	}
	free(x);
	return ci;
}

static void describe(struct claim_result *r, const struct claim *c, const struct interval *ci)
{
	const struct metric_info *info = metric_find(c->metric);
	const double v[] = {ci->point, ci->low, ci->high};
	const char *unit = info ? info->unit : "";
	char text[3][48];

	for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
		if (c->kind == RATIO)
			snprintf(text[i], sizeof(text[i]), "%.3gx", v[i]);
		else
			report_value(unit, v[i], text[i], sizeof(text[i]));
	}
	if (isnan(ci->low))
		snprintf(r->ours, sizeof(r->ours), "%s", text[0]);
	else
		snprintf(r->ours, sizeof(r->ours), "%s [%s, %s]", text[0], text[1], text[2]);
}

/* The value of a knob in "name=value name=value"; "" when it is not there. */
static const char *knob_value(const char *knobs, const char *name, char value[32])
{
	char is[32];
	int len = 0;

	for (; knobs && sscanf(knobs, " %31[^=]=%31s%n", is, value, &len) == 2; knobs += len)
		if (!strcmp(is, name))
			return value;
	*value = '\0';
	return value;
}

/* " --set flood=on --set event_idx=on,off" */
static void add_knobs(struct strbuf *sb, const struct claim_side *a, const struct claim_side *b)
{
	char name[32], value[32], other[32];
	int len = 0;

	for (const char *k = a->knobs; k && sscanf(k, " %31[^=]=%31s%n", name, value, &len) == 2;
	     k += len) {
		knob_value(b->knobs, name, other);
		strbuf_addf(sb, " --set %s=%s", name, value);
		if (*other && strcmp(value, other) != 0)
			strbuf_addf(sb, ",%s", other);
	}
}

static void add_choice(struct strbuf *sb, const char *option, const char *a, const char *b)
{
	if (a)
		strbuf_addf(sb, " --%s=%s", option, a);
	if (a && b && strcmp(a, b) != 0)
		strbuf_addf(sb, ",%s", b);
}

static void add_place(struct strbuf *sb, const struct claim_side *s)
{
	static const char intel[] = "lab-intel";

	if (s->substrate && !strcmp(s->substrate, intel))
		strbuf_adds(sb, " --lab=intel");
	else if (s->substrate)
		strbuf_adds(sb, " --on=lab --deterministic");
}

/*
 * The plan that measures both sides; of sides that differ in knobs and mode both, or in the machine, the one
 * that is missing.
 */
static void needs(struct claim_result *r, const struct claim *c, bool have_a)
{
	bool apart = (c->a.knobs && c->b.mode && strcmp(c->a.mode, c->b.mode) != 0) || has_two_places(c);
	const struct claim_side *a = &c->a, *b = &c->b;
	struct strbuf sb = STRBUF_INIT;

	if (apart && have_a)
		a = b;
	if (apart)
		b = a;
	strbuf_addf(&sb, "bench run %s", c->workload);
	add_place(&sb, a);
	add_choice(&sb, "guest", a->guest, NULL);
	add_choice(&sb, "mode", a->mode, b->mode);
	add_choice(&sb, "vmm", a->vmm, b->vmm ? text_or(b->vmm, "none") : NULL);
	add_knobs(&sb, a, b);
	snprintf(r->why, sizeof(r->why), "%s", strbuf_str(&sb));
	strbuf_free(&sb);
}

/* In what way a record is not what the published figure is about; NULL when it is. */
static const char *not_the_same(const struct claim *c, const json_t *rec)
{
	if (!strcmp(record_str(rec, "time_base"), "real"))
		return NULL;
	if (c->kind == ABSOLUTE || c->kind == DIFFERENCE)
		return "absolute rates and times of the lab do not carry over";
	if (c->a.mode && !strcmp(c->a.mode, "sriov"))
		return "the lab's card is software";
	return NULL;
}

/* In virtual time boots are equal, and a value is as sure as an interval. */
static struct interval sure_interval(const json_t *a, struct interval ci)
{
	if (!strcmp(record_str(a, "time_base"), "virtual"))
		ci.low = ci.high = ci.point;
	return ci;
}

/* The whole interval decides: one that holds a value that agrees and one that does not tells nothing. */
static void judge_interval(struct claim_result *r, const struct claim *c, struct interval ci)
{
	r->state = CLAIM_CANNOT_TELL;
	if (isnan(ci.low))
		snprintf(r->why, sizeof(r->why), "%zu boot%s: too few for an interval, %d are needed", ci.n,
			 text_if(ci.n != 1, "s"), STATS_MIN_N);
	else if (ci.low >= c->low && ci.high <= c->high)
		r->state = CLAIM_HOLDS;
	else if (ci.high < c->low || ci.low > c->high)
		r->state = CLAIM_FAILS;
	else
		snprintf(r->why, sizeof(r->why), "the interval reaches beyond %.3g to %.3g: more boots, or a quieter machine",
			 c->low, c->high);
}

static void judge(struct claim_result *r, const struct claim *c, json_t *const *rec, size_t n)
{
	const json_t *a, *b;
	struct interval ci;

	*r = (struct claim_result){
		.claim = c->claim, .published = c->published, .state = CLAIM_NOT_MEASURED};
	if (c->never) {
		snprintf(r->why, sizeof(r->why), "%s", c->never);
		return;
	}
	find_sides(rec, n, c, &a, &b);
	if (!a || (is_of_two(c) && !b)) {
		needs(r, c, a);
		return;
	}
	ci = claimed_value(c, a, b);
	if (isnan(ci.point)) {
		snprintf(r->why, sizeof(r->why), "no ratio: a value is zero");
		r->state = CLAIM_CANNOT_TELL;
		return;
	}
	describe(r, c, &ci);
	judge_interval(r, c, sure_interval(a, ci));
	if (not_the_same(c, a)) {
		snprintf(r->why, sizeof(r->why), "%s", not_the_same(c, a));
		r->state = CLAIM_CANNOT_TELL;
	} else if (r->state == CLAIM_FAILS && c->otherwise) {
		snprintf(r->why, sizeof(r->why), "%s", c->otherwise);
	}
}

size_t claims_judge(json_t *const *rec, size_t n, enum claim_section section, struct claim_result **out)
{
	size_t n_out = 0;

	*out = NULL;
	for (const struct claim *c = claim_table; c->claim; c++) {
		if (c->section != section)
			continue;
		*out = xgrow(*out, n_out, sizeof(**out));
		judge(&(*out)[n_out++], c, rec, n);
	}
	return n_out;
}
