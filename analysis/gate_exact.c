// SPDX-License-Identifier: MIT
/* The gate in virtual time, where any change counts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/compare.h"
#include "analysis/gate_impl.h"
#include "base/escape.h"
#include "base/number.h"
#include "results/record.h"

/* Two baselines that disagree, or a value off the baseline's by more than a floor that was asked for:
 * a change, unless it is for the better. */
static enum gate_result judge_value(const struct gate_row *r, double least, double most, double value)
{
	double off = fabs(value - r->base);

	if (value == least && value == most)
		return GATE_PASS;
	if (r->better && gate_worsening(r, value - r->base) < 0 && least == most)
		return GATE_BETTER;
	if (off > r->floor.relative * fabs(r->base) && off > r->floor.absolute)
		return GATE_TRIPPED;
	return GATE_PASS;
}

static void judge_row(struct gate_row *r, const json_t *base, const json_t *screen)
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
	r->screen = (struct interval){ratio_or(r->screen_value, r->base, NAN), NAN, NAN, MIN(na, nb)};
	r->result = GATE_PASS;
	for (size_t i = 0; i < nb && r->result != GATE_TRIPPED; i++) {
		enum gate_result one = judge_value(r, least, most, b[i]);

		if (one != GATE_PASS)
			r->result = one;
	}
	free(a);
	free(b);
}

static double relative_change(const struct gate_row *r)
{
	if (r->screen_value == r->base)
		return 0;
	return fabs(ratio_or(r->screen_value, r->base, INFINITY) - 1);
}

/* The largest first: the needless exit stands above the nanoseconds that it costs. */
static int by_change(const void *a, const void *b)
{
	const struct gate_row *p = a, *q = b;
	double x = relative_change(p), y = relative_change(q);

	if (x != y)
		return (x < y) - (x > y);
	return strcmp(p->metric, q->metric);
}

void gate_judge_exact(struct gate *g, const json_t *base, const json_t *screen)
{
	for (size_t i = 0; i < g->n; i++)
		judge_row(&g->row[i], base, screen);
	qsort(g->row, g->n, sizeof(*g->row), by_change);
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
		const char *what = text_or(record_str(e, "device"), key);
		double a = count_of(base, reason, key), b = count_of(screen, reason, key);

		if (a != b && !(only_new && a))
			print_plain(out, "exit %s%s%s: %.10g -> %.10g per boot\n", reason, text_if(*key, " "),
				   what, a, b);
	}
}

void gate_print_exits(const json_t *base, const json_t *screen, FILE *out)
{
	print_changed(base, base, screen, false, out);
	print_changed(screen, base, screen, true, out);
}
