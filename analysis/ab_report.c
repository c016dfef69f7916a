// SPDX-License-Identifier: MIT
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/ab_report.h"
#include "analysis/gate_report.h"
#include "base/escape.h"
#include "base/strbuf.h"
#include "base/table.h"
#include "results/record.h"

static void ratio_text(char *buf, size_t size, const struct ab_row *r, double ratio)
{
	if (isnan(ratio))
		snprintf(buf, size, "-");
	else if (r->a == 0 && ratio != 1)
		snprintf(buf, size, "from 0");
	else if (ratio > 2 || ratio < 0.5)
		snprintf(buf, size, "x %.3g", ratio);
	else
		snprintf(buf, size, "%+.*f %%", fabs(ratio - 1) < 0.0995 ? 2 : 1, 100 * (ratio - 1));
}

static void interval_cell(struct table *t, const struct ab_row *r)
{
	char low[32], high[32];

	if (isnan(r->ratio.low) || r->a == 0) {
		table_cell(t, "-");
		return;
	}
	ratio_text(low, sizeof(low), r, r->ratio.low);
	ratio_text(high, sizeof(high), r, r->ratio.high);
	table_cell(t, "%s to %s", low, high);
}

static void p_cell(struct table *t, const struct ab_row *r)
{
	if (isnan(r->test.p) || r->result == AB_EQUAL)
		table_cell(t, "-");
	else
		table_cell(t, "%.2g", r->test.p);
}

static void print_row(struct table *t, const struct ab_row *r)
{
	char change[32];

	ratio_text(change, sizeof(change), r, r->result == AB_EQUAL ? 1 : r->ratio.point);
	table_cell(t, "%s", r->metric);
	table_cell(t, "%s", metric_text(r->metric, r->a));
	table_cell(t, "%s", metric_text(r->metric, r->b));
	table_cell(t, "%s", r->result == AB_EQUAL ? "0" : change);
	interval_cell(t, r);
	p_cell(t, r);
	table_cell(t, "%s", ab_result_text(r->result));
}

static void write_legend(const struct ab *ab, const struct ab_opts *o, FILE *out)
{
	fprintf(out, "\n%zu pair%s", ab->pairs, ab->pairs == 1 ? "" : "s");
	if (ab->failed)
		fprintf(out, " (%zu more lacked a good boot of A or B)", ab->failed);
	fprintf(out, ", look %zu of %zu.\n", ab->look, ab->looks);
	fprintf(out,
		"change: B to A over the pairs; interval: as wide as the verdict asks. Equal ones are called different in at\n"
		"most %g of 100 such comparisons, over all metrics and looks.\n",
		100 * AB_ALPHA);
	if (o->margin > 0)
		fprintf(out, "A worsening of %g %% had to be excluded.\n", 100 * o->margin);
}

static void write_head(const struct ab_names *names, FILE *out)
{
	print_plain(out, "%s\n", names->series);
	for (int i = 0; i < 2; i++)
		print_plain(out, "%c: %s, run %s\n", 'A' + i, names->side[i], names->run[i]);
	fputc('\n', out);
}

void ab_write_text(const struct ab *ab, const struct ab_names *names, const struct ab_opts *o, FILE *out)
{
	struct table *t = table_new(7, "metric:", ":A", ":B", ":change", ":interval", ":p", "result:");

	write_head(names, out);
	for (size_t i = 0; i < ab->n; i++)
		print_row(t, &ab->row[i]);
	table_print(t, out);
	write_legend(ab, o, out);
	fprintf(out, "\nab: %s\n", ab_verdict_text(ab->verdict));
}

static json_t *row_json(const struct ab_row *r)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s}", "metric", r->metric, "a",
			 json_real_or_null(r->a), "b", json_real_or_null(r->b), "ratio",
			 json_real_or_null(r->ratio.point), "ratio_low", json_real_or_null(r->ratio.low),
			 "ratio_high", json_real_or_null(r->ratio.high), "p", json_real_or_null(r->test.p),
			 "adjusted_p", json_real_or_null(r->test.adjusted), "result",
			 ab_result_text(r->result));
}

static const char *verdict_word(enum ab_verdict v)
{
	static const char *const word[] = {"no evidence", "better", "worse", "undecided"};

	return word[v];
}

static void add_sides(json_t *out, const struct ab_names *names)
{
	for (int i = 0; i < 2; i++)
		json_object_set_new(out, i ? "b" : "a",
				    json_pack("{s:s, s:s}", "side", names->side[i], "run", names->run[i]));
}

json_t *ab_json(const struct ab *ab, const struct ab_names *names, const struct ab_opts *o)
{
	json_t *rows = json_array(), *out;

	for (size_t i = 0; i < ab->n; i++)
		json_array_append_new(rows, row_json(&ab->row[i]));
	out = json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:f, s:f, s:o}", "verdict",
			verdict_word(ab->verdict), "series", names->series, "exact", 0, "pairs",
			(json_int_t)ab->pairs, "pairs_lost", (json_int_t)ab->failed, "look",
			(json_int_t)ab->look, "looks", (json_int_t)ab->looks, "alpha", AB_ALPHA, "margin",
			o->margin, "metrics", rows);
	add_sides(out, names);
	return out;
}

static enum ab_verdict verdict_of(const struct gate *g)
{
	if (g->tripped)
		return AB_SAYS_WORSE;
	if (g->undecided)
		return AB_SAYS_UNDECIDED;
	for (size_t i = 0; i < g->n; i++)
		if (g->row[i].result == GATE_BETTER)
			return AB_SAYS_BETTER;
	return AB_SAYS_NO_EVIDENCE;
}

void ab_write_exact(const struct gate *g, const struct ab_names *names, FILE *out)
{
	write_head(names, out);
	gate_write_exact(g, out);
	fprintf(out, "\nab: %s\n", ab_verdict_text(verdict_of(g)));
}

static json_t *exact_row_json(const struct gate_row *r)
{
	static const char *const result[] = {
		[GATE_PASS] = "pass", [GATE_BETTER] = "better", [GATE_TRIPPED] = "worse"};

	return json_pack(
		"{s:s, s:o, s:o, s:o, s:s}", "metric", r->metric, "a", json_real_or_null(r->base), "b",
		json_real_or_null(r->screen_value), "ratio", json_real_or_null(r->screen.point), "result",
		r->result < ARRAY_SIZE(result) && result[r->result] ? result[r->result] : "not judged");
}

json_t *ab_exact_json(const struct gate *g, const struct ab_names *names)
{
	json_t *rows = json_array(), *out;

	for (size_t i = 0; i < g->n; i++)
		json_array_append_new(rows, exact_row_json(&g->row[i]));
	out = json_pack("{s:s, s:s, s:b, s:o}", "verdict", verdict_word(verdict_of(g)), "series",
			names->series, "exact", 1, "metrics", rows);
	add_sides(out, names);
	return out;
}

static void add_names(struct strbuf *sb, const struct ab *ab, enum ab_result result, const char *word)
{
	const char *sep = sb->len ? "; " : "";
	size_t n = 0;

	for (size_t i = 0; i < ab->n; i++) {
		if (ab->row[i].result != result)
			continue;
		if (n++)
			strbuf_addf(sb, ", %s", ab->row[i].metric);
		else
			strbuf_addf(sb, "%s%s: %s", sep, word, ab->row[i].metric);
	}
}

char *ab_line(const struct ab *ab)
{
	struct strbuf sb = STRBUF_INIT;

	add_names(&sb, ab, AB_WORSE, "worse");
	add_names(&sb, ab, AB_BETTER, "better");
	if (!ab->decided) {
		add_names(&sb, ab, AB_OPEN, "still undecided");
		add_names(&sb, ab, AB_TOO_FEW, "too few pairs yet");
	}
	if (!ab->n)
		strbuf_adds(&sb, "no such metric in the boots of A; see bench show");
	else if (!sb.len)
		strbuf_adds(&sb, "no evidence of a change");
	return strbuf_take(&sb);
}
