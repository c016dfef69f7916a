// SPDX-License-Identifier: MIT
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/compare.h"
#include "analysis/power.h"
#include "results/record.h"

const char *verdict_text(enum verdict v)
{
	static const char *const text[] = {
		"better", "WORSE", "changed", "no evidence of a change", "equal", "too few boots",
		"too few boots for so many metrics"};

	return text[v];
}

/* ---- values grouped by boot ---- */

struct boots {
	double *x;
	size_t *start; /* boots + 1 */
	size_t n;
};

static bool value_of(const json_t *sample, const char *metric, double *out)
{
	const json_t *v = json_object_get(json_object_get(sample, "metrics"), metric);

	*out = json_number_value(v);
	return json_is_true(json_object_get(sample, "ok")) && json_is_number(v);
}

/* Samples without .boot are a boot each. */
static json_int_t boot_of(const json_t *sample, size_t index)
{
	const json_t *boot = json_object_get(sample, "boot");

	if (json_is_integer(boot))
		return json_integer_value(boot);
	return (json_int_t)index;
}

static bool seen_before(const json_t *samples, size_t index)
{
	json_int_t boot = boot_of(json_array_get(samples, index), index);

	for (size_t i = 0; i < index; i++)
		if (boot_of(json_array_get(samples, i), i) == boot)
			return true;
	return false;
}

static void boots_of(const json_t *rec, const char *metric, struct boots *b)
{
	const json_t *samples = json_object_get(rec, "samples");
	size_t n = json_array_size(samples), used = 0;

	*b = (struct boots){xcalloc(n, sizeof(*b->x)), xcalloc(n + 1, sizeof(*b->start)), 0};
	for (size_t i = 0; i < n; i++) {
		json_int_t boot = boot_of(json_array_get(samples, i), i);

		if (seen_before(samples, i))
			continue;
		for (size_t k = i; k < n; k++) {
			const json_t *s = json_array_get(samples, k);

			if (boot_of(s, k) == boot && value_of(s, metric, &b->x[used]))
				used++;
		}
		if (used > b->start[b->n])
			b->start[++b->n] = used;
	}
}

static void boots_free(struct boots *b)
{
	free(b->x);
	free(b->start);
}

static double *boot_medians(const struct boots *b)
{
	double *m = xcalloc(b->n, sizeof(*m));

	for (size_t i = 0; i < b->n; i++)
		m[i] = stats_median(b->x + b->start[i], b->start[i + 1] - b->start[i]);
	return m;
}

double *compare_boot_values(const json_t *rec, const char *metric, size_t *n)
{
	struct boots b;
	double *m = NULL;

	boots_of(rec, metric, &b);
	*n = b.n;
	if (b.n)
		m = boot_medians(&b);
	boots_free(&b);
	return m;
}

/* ---- one row ---- */

static bool all_equal(const struct boots *a, const struct boots *b)
{
	size_t na = a->start[a->n], nb = b->start[b->n];

	for (size_t i = 0; i < na; i++)
		if (a->x[i] != a->x[0])
			return false;
	for (size_t i = 0; i < nb; i++)
		if (b->x[i] != a->x[0])
			return false;
	return true;
}

static bool grouped(const struct boots *b)
{
	return b->start[b->n] > b->n;
}

static void effect_of(struct compare_row *r, const struct boots *a, const struct boots *b,
		      const double *ma, const double *mb, uint64_t seed)
{
	if (grouped(a) || grouped(b))
		r->effect =
			stats_nested_ratio_ci(&(struct stats_nested){a->x, a->start, a->n},
					      &(struct stats_nested){b->x, b->start, b->n}, seed);
	else
		r->effect = stats_ratio_ci(ma, a->n, mb, b->n, seed);
	r->is_ratio = !isnan(r->effect.point);
	if (!r->is_ratio)
		r->effect = stats_difference_ci(ma, a->n, mb, b->n, seed);
	r->log_sd = power_log_sd(ma, a->n, mb, b->n);
}

static void fill_row(struct compare_row *r, const struct boots *a, const struct boots *b,
		     uint64_t seed)
{
	double *ma = boot_medians(a), *mb = boot_medians(b);

	r->base = stats_median(a->x, a->start[a->n]);
	r->changed = stats_median(b->x, b->start[b->n]);
	effect_of(r, a, b, ma, mb, seed);
	r->bimodal = stats_bimodal(ma, a->n) || stats_bimodal(mb, b->n);
	r->boots[0] = a->n;
	r->boots[1] = b->n;
	r->test.p = r->test.least_p = NAN;
	if (r->effect.n >= STATS_MIN_N) {
		r->test.p = stats_ranksum_p(ma, a->n, mb, b->n, seed);
		r->test.least_p = stats_ranksum_least_p(ma, a->n, mb, b->n);
	}
	r->verdict = VERDICT_NO_EVIDENCE;
	if (all_equal(a, b))
		r->verdict = VERDICT_EQUAL;
	free(ma);
	free(mb);
}

static enum verdict direction(const struct compare_row *r, bool up)
{
	if (!r->better)
		return VERDICT_CHANGED;
	if (up == (r->better > 0))
		return VERDICT_BETTER;
	return VERDICT_WORSE;
}

static void judge(struct compare_row *r)
{
	double none = r->is_ratio; /* a ratio of 1, a difference of 0 */

	if (r->verdict == VERDICT_EQUAL)
		return;
	/* Equal medians of unequal values still show that something changed, in a direction that
	 * cannot be told. */
	if (r->exact && r->changed == r->base)
		r->verdict = VERDICT_CHANGED;
	else if (r->exact)
		r->verdict = direction(r, r->changed > r->base);
	else if (isnan(r->effect.low))
		r->verdict = VERDICT_TOO_FEW;
	else if ((r->effect.low > none || r->effect.high < none) && r->test.adjusted <= COMPARE_ALPHA)
		r->verdict = direction(r, r->effect.low > none);
	else if (family_too_large(&r->test))
		r->verdict = VERDICT_TOO_MANY;
}

static void adjust(struct compare_row *rows, size_t n)
{
	struct family_test *t = xcalloc(n, sizeof(*t));

	for (size_t i = 0; i < n; i++)
		t[i] = rows[i].test;
	family_adjust(t, n, COMPARE_ALPHA);
	for (size_t i = 0; i < n; i++)
		rows[i].test = t[i];
	free(t);
}

/*
 * Both the interval and the test within its family have to find it. Rows of one part of the family with
 * as many boots need the same shift, so it is asked for once.
 */
static void tell_detectable(struct compare_row *rows, size_t n)
{
	struct {
		double cut, shift;
		size_t boots[2];
	} last[FAMILY_PARTS] = {0}, *l;

	for (size_t i = 0; i < n; i++) {
		struct compare_row *r = &rows[i];

		r->detectable = NAN;
		if (r->exact || isnan(r->log_sd) || isnan(r->effect.low) || isnan(r->test.cut))
			continue;
		l = &last[r->test.part];
		if (r->test.cut != l->cut || memcmp(l->boots, r->boots, sizeof(l->boots)) != 0) {
			l->cut = r->test.cut;
			memcpy(l->boots, r->boots, sizeof(l->boots));
			l->shift = power_rank_shift(l->boots[0], l->boots[1], l->cut);
		}
		r->detectable = fmax(exp(l->shift * r->log_sd), stats_detectable_ratio(&r->effect));
	}
}

/* ---- all rows ---- */

static size_t metric_rank(const char *name)
{
	const struct metric_info *m = metric_find(name);

	if (!m)
		return SIZE_MAX;
	return (size_t)(m - metric_table);
}

static int by_table(const void *a, const void *b)
{
	const struct compare_row *x = a, *y = b;
	size_t rx = metric_rank(x->metric), ry = metric_rank(y->metric);

	if (rx != ry)
		return compare_u64(rx, ry);
	return strcmp(x->metric, y->metric);
}

static bool have_row(const struct compare_row *rows, size_t n, const char *metric)
{
	while (n--)
		if (!strcmp(rows[n].metric, metric))
			return true;
	return false;
}

static bool chosen(const struct compare_opts *opts, const char *metric)
{
	const char *const *m = opts->metrics;

	while (m && *m && strcmp(*m, metric) != 0)
		m++;
	return !m || *m;
}

/* Is there a value of the metric on both sides? Then *r is its row. */
static bool make_row(struct compare_row *r, const json_t *base, const json_t *changed, const char *metric,
		     const struct compare_opts *opts)
{
	const struct metric_info *m = metric_find(metric);
	struct boots a, b;
	bool both;

	boots_of(base, metric, &a);
	boots_of(changed, metric, &b);
	both = a.n && b.n;
	if (both) {
		*r = (struct compare_row){.metric = metric, .better = m ? m->better : 0};
		r->test.part = family_part_of(metric, r->better, opts->headline);
		fill_row(r, &a, &b, opts->seed);
	}
	boots_free(&a);
	boots_free(&b);
	return both;
}

static bool in_virtual_time(const json_t *rec)
{
	return !strcmp(record_str(rec, "time_base"), "virtual");
}

size_t compare_records(const json_t *base, const json_t *changed, const struct compare_opts *opts,
		       struct compare_row **out)
{
	bool exact = in_virtual_time(base) && in_virtual_time(changed);
	struct compare_row *rows = NULL;
	const json_t *sample;
	const char *name;
	json_t *v;
	size_t n = 0, i;

	json_array_foreach (json_object_get(base, "samples"), i, sample) {
		json_object_foreach (json_object_get(sample, "metrics"), name, v) {
			if (!chosen(opts, name) || have_row(rows, n, name))
				continue;
			rows = xgrow(rows, n, sizeof(*rows));
			if (make_row(&rows[n], base, changed, name, opts))
				rows[n++].exact = exact;
		}
	}
	adjust(rows, n);
	tell_detectable(rows, n);
	for (i = 0; i < n; i++)
		judge(&rows[i]);
	if (n)
		qsort(rows, n, sizeof(*rows), by_table);
	*out = rows;
	return n;
}
