// SPDX-License-Identifier: MIT
/* Exits a second, stacked by reason; exits per request of a disk, stacked by register. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/fig_reasons.h"
#include "analysis/figure.h"
#include "base/table.h"

#define PARTS 8 /* fills of style.gp */

static const char rest_name[] = "other"; /* the last of them, when there are more reasons */

/* What is stacked, and what a column of it is divided by. */
struct stack {
	exit_name_fn name;
	double (*per)(const json_t *rec); /* 0: not known; then of all columns by nothing */
	const char *what, *without;	  /* of the axis */
};

static int by_count(const void *a, const void *b)
{
	const struct reason *p = a, *q = b;

	if (p->count != q->count)
		return (p->count < q->count) - (p->count > q->count);
	return strcmp(p->name, q->name);
}

/* Of one name; NULL: of all. */
static double count_of(const json_t *rec, exit_name_fn name_of, const char *name)
{
	const json_t *exits = record_of(rec).exits;
	struct record_exit e;
	double sum = 0;

	for (size_t i = 0; record_exit(exits, i, &e); i++)
		if (!name || !strcmp(name_of(&e), name))
			sum += e.count;
	return sum;
}

/* Seconds of the mean window, from the windows themselves; 0 when unknown. */
static double window_s(const json_t *rec)
{
	const json_t *samples = record_of(rec).samples;
	struct record_sample s;
	double sum = 0;
	size_t n = 0;

	for (size_t i = 0; record_sample(samples, i, &s); i++) {
		if (!s.ok)
			continue;
		sum += record_window_ns(rec, &s);
		n++;
	}
	if (!n)
		return 0;
	return sum / (double)n / 1e9;
}

static double requests(const json_t *rec)
{
	struct interval ios;

	if (!record_summary(rec, "ios", &ios))
		return 0;
	return ios.point;
}

static bool all_known(const struct fig_set *set, const struct stack *st)
{
	for (size_t i = 0; i < set->n; i++)
		if (st->per(set->rec[i]) <= 0)
			return false;
	return true;
}

/* One stacked part: x, its foot and its top at every record. foot[] grows. */
static void stack_block(struct fig_doc *doc, const char *name, const double *value, double *foot,
			size_t n)
{
	strbuf_addf(&doc->dat, "# %s: position low high\n", name);
	for (size_t i = 0; i < n; i++) {
		strbuf_addf(&doc->dat, "%zu %.6g %.6g\n", i, foot[i], foot[i] + value[i]);
		foot[i] += value[i];
	}
	strbuf_adds(&doc->dat, "\n\n");
}

static const char *part_name(const struct reason *list, size_t n, size_t part)
{
	if (part == PARTS - 1 && n > PARTS)
		return rest_name;
	return list[part].name;
}

static void exits_blocks(const struct fig_set *set, const struct stack *st, struct fig_doc *doc,
			 const struct reason *list, size_t n, double *foot)
{
	bool rate = all_known(set, st);
	double *value = xcalloc(set->n, sizeof(*value)), *div = xcalloc(set->n, sizeof(*div));
	size_t parts = MIN(n, (size_t)PARTS);

	for (size_t i = 0; i < set->n; i++)
		div[i] = rate ? st->per(set->rec[i]) : 1;
	for (size_t r = 0; r < parts; r++) {
		const char *name = part_name(list, n, r);

		for (size_t i = 0; i < set->n; i++) {
			if (name == rest_name)
				value[i] = count_of(set->rec[i], st->name, NULL) - foot[i] * div[i];
			else
				value[i] = count_of(set->rec[i], st->name, name);
			value[i] /= div[i];
		}
		stack_block(doc, name, value, foot, set->n);
	}
	strbuf_addf(&doc->dat, "# totals: position total label\n");
	for (size_t i = 0; i < set->n; i++) {
		strbuf_addf(&doc->dat, "%zu %.6g ", i, foot[i]);
		fig_quote(&doc->dat, fmt_si(foot[i]));
		strbuf_addc(&doc->dat, '\n');
	}
	free(value);
	free(div);
}

static void exits_plot(const struct fig_set *set, const struct stack *st, struct fig_doc *doc,
		       const struct reason *list, size_t n, double max)
{
	const char *prefix;
	double scale = fig_si(max, &prefix);
	size_t parts = MIN(n, (size_t)PARTS);

	strbuf_addf(&doc->gp, "set ylabel \"Exits (%s%s)\"\nunit = %g\nset yrange [0:%.4g]\n",
		    prefix, all_known(set, st) ? st->what : st->without, scale,
		    max / scale * 1.12);
	fig_stack_key(doc, " width 1");
	strbuf_adds(&doc->gp, "plot ");
	for (size_t r = 0; r < parts; r++) {
		strbuf_addf(
			&doc->gp,
			"dat index %zu using 1:2:($1-0.34):($1+0.34):($2/unit):($3/unit) with boxxyerror "
			"@fill%zu lw 0.5 dt 1 title ",
			r, r + 1);
		fig_quote(&doc->gp, part_name(list, n, r));
		strbuf_adds(&doc->gp, ", \\\n     ");
	}
	strbuf_addf(&doc->gp,
		    "dat index %zu using 1:($2/unit):3 with labels boxed offset 0,0.5 notitle\n", parts);
}

bool fig_has_exits(const json_t *rec)
{
	return json_array_size(record_of(rec).exits) > 0;
}

static int draw_stack(const struct fig_set *set, const struct stack *st, struct fig_doc *doc)
{
	struct reasons all = {NULL, 0};
	double *foot = xcalloc(set->n, sizeof(*foot)), max = 0;
	bool rest;

	for (size_t i = 0; i < set->n; i++)
		reasons_add(set->rec[i], st->name, &all);
	rest = all.n > PARTS;
	if (!all.n) {
		free(foot);
		return fig_missing(doc, "no record has exits by reason");
	}
	qsort(all.list, all.n, sizeof(*all.list), by_count);
	fig_category_axis(set, doc);
	exits_blocks(set, st, doc, all.list, all.n, foot);
	for (size_t i = 0; i < set->n; i++)
		max = fmax(max, foot[i]);
	exits_plot(set, st, doc, all.list, all.n, max);
	reasons_free(&all);
	free(foot);
	return rest;
}

int fig_exits(const struct fig_set *set, struct fig_doc *doc)
{
	static const struct stack by_reason = {exit_reason, window_s, "/s", " per window"};
	int rest = draw_stack(set, &by_reason, doc);

	if (rest < 0)
		return rest;
	strbuf_addf(&doc->caption, "Means over boots, keys folded into their reason%s; above: the sum.",
		    text_if(rest, ", rare reasons summed as other"));
	return 0;
}

bool fig_has_requests(const json_t *rec)
{
	return fig_has_exits(rec) && requests(rec) > 0;
}

int fig_io_exits(const struct fig_set *set, struct fig_doc *doc)
{
	static const struct stack by_register = {exit_device, requests, "per request", "per window"};
	int rest = draw_stack(set, &by_register, doc);

	if (rest < 0)
		return rest;
	strbuf_addf(&doc->caption,
		    "Means over boots, per request of the disk: by the register that was accessed, else by "
		    "reason%s; above: the sum.",
		    text_if(rest, ", rare ones summed as other"));
	return 0;
}
