// SPDX-License-Identifier: MIT
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/gate_report.h"
#include "base/escape.h"
#include "base/table.h"
#include "results/record.h"

/* "-4.8 % (-6.1 to -3.0)"; exact values have no interval, and nothing is so many per cent of zero. */
static void change_text(char *buf, size_t size, const struct gate_row *r, const struct interval *ci)
{
	if (isnan(ci->point))
		snprintf(buf, size, "-");
	else if (r->base == 0 && ci->point != 1)
		snprintf(buf, size, "from 0");
	else if (isnan(ci->low))
		snprintf(buf, size, "%+.4g %%", 100 * (ci->point - 1));
	else
		snprintf(buf, size, "%+.1f %% (%+.1f to %+.1f)", 100 * (ci->point - 1),
			 100 * (ci->low - 1), 100 * (ci->high - 1));
}

struct cells {
	const char *base, *screen_value;
	char screen[64], confirm[64], floor[48], exact[2][32], between[32], detectable[32];
};

static void between_text(char *buf, size_t size, const struct spread *s)
{
	if (isnan(s->sd))
		snprintf(buf, size, "-");
	else
		snprintf(buf, size, "%.2g %% (%zu)", 100 * s->sd, s->pairs);
}

/* The change for the worse, with its sign. */
static void detectable_text(char *buf, size_t size, const struct gate_row *r)
{
	if (isnan(r->detectable))
		snprintf(buf, size, "-");
	else if (isinf(r->detectable))
		snprintf(buf, size, "none");
	else if (r->better > 0)
		snprintf(buf, size, "%+.1f %%", 100 * (1 / r->detectable - 1));
	else
		snprintf(buf, size, "%+.1f %%", 100 * (r->detectable - 1));
}

static void fill_cells(struct cells *c, const struct gate *g, const struct gate_row *r)
{
	c->base = metric_text(r->metric, r->base);
	c->screen_value = metric_text(r->metric, r->screen_value);
	if (g->exact) {
		/* Exact counts in full: the last digit is what it is about. */
		snprintf(c->exact[0], sizeof(c->exact[0]), "%.15g", r->base);
		snprintf(c->exact[1], sizeof(c->exact[1]), "%.15g", r->screen_value);
		c->base = c->exact[0];
		c->screen_value = c->exact[1];
	}
	change_text(c->screen, sizeof(c->screen), r, &r->screen);
	change_text(c->confirm, sizeof(c->confirm), r, &r->confirm);
	between_text(c->between, sizeof(c->between), &r->between);
	detectable_text(c->detectable, sizeof(c->detectable), r);
	if (g->exact && r->floor.relative <= 0 && r->floor.absolute <= 0)
		snprintf(c->floor, sizeof(c->floor), "none");
	else if (r->floor.absolute > 0)
		snprintf(c->floor, sizeof(c->floor), "%.3g %%, %s", 100 * r->floor.relative,
			 metric_text(r->metric, r->floor.absolute));
	else
		snprintf(c->floor, sizeof(c->floor), "%.3g %%", 100 * r->floor.relative);
}

static const char *headline(const struct gate *g)
{
	if (g->tripped)
		return "TRIPPED";
	if (g->undecided)
		return "not decided: too few boots";
	return "passed";
}

/* Of exact values only those that are not equal need to be seen. */
static bool shown(const struct gate *g, const struct gate_row *r)
{
	return !g->exact || r->result != GATE_PASS || r->screen_value != r->base;
}

static size_t shown_rows(const struct gate *g)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++)
		n += shown(g, &g->row[i]);
	return n;
}

static const char *metrics_are(size_t n)
{
	return n == 1 ? "metric is" : "metrics are";
}

static void say_equal(const struct gate *g, FILE *out)
{
	size_t n = g->n - shown_rows(g);

	if (n)
		fprintf(out, "%s%zu %s equal in every digit.\n", text_if(n < g->n, "\n"), n, metrics_are(n));
}

static void exact_row(struct table *t, const struct gate_row *r, const struct cells *c)
{
	table_cell(t, "%s", r->metric);
	table_cell(t, "%s", c->exact[0]);
	table_cell(t, "%s", c->exact[1]);
	table_cell(t, "%s", c->screen);
	table_cell(t, "%s", c->floor);
	table_cell(t, "%s", gate_result_text(r->result));
}

/* No confirmation, no intervals: nothing varies. */
void gate_write_exact(const struct gate *g, FILE *out)
{
	struct table *t;

	if (!shown_rows(g)) {
		say_equal(g, out);
		return;
	}
	t = table_new(6, "metric:", ":baseline", ":now", ":change", ":floor", "result:");
	for (size_t i = 0; i < g->n; i++) {
		struct cells c;

		if (!shown(g, &g->row[i]))
			continue;
		fill_cells(&c, g, &g->row[i]);
		exact_row(t, &g->row[i], &c);
	}
	table_print(t, out);
	say_equal(g, out);
}

static void write_sampled(const struct gate *g, FILE *out)
{
	struct table *t = table_new(9, "metric:", ":baseline", ":now", ":screening", ":confirmation",
				    ":floor", ":between runs", ":detectable", "result:");

	for (size_t i = 0; i < g->n; i++) {
		struct cells c;

		fill_cells(&c, g, &g->row[i]);
		table_cell(t, "%s", g->row[i].metric);
		table_cell(t, "%s", c.base);
		table_cell(t, "%s", c.screen_value);
		table_cell(t, "%s", c.screen);
		table_cell(t, "%s", c.confirm);
		table_cell(t, "%s", c.floor);
		table_cell(t, "%s", c.between);
		table_cell(t, "%s", c.detectable);
		table_cell(t, "%s%s", gate_result_text(g->row[i].result),
			   text_if(g->row[i].bimodal, " (two modes)"));
	}
	table_print(t, out);
}

/* What the intervals know, and what such a gate finds. */
static void write_legend(const struct gate *g, FILE *out)
{
	size_t most = 0;
	bool known = false;

	for (size_t i = 0; i < g->n; i++) {
		known |= !isnan(g->row[i].between.sd);
		most = MAX(most, g->row[i].between.pairs);
	}
	fprintf(out,
		"\nChanges are Hodges-Lehmann ratios with 95 %% intervals; detectable: the worsening that 4 of "
		"5 such gates of %zu metrics trip on.\n",
		g->n);
	if (known)
		fprintf(out, "Between runs: standard deviation of runs of the same programs, from as many "
			     "A/A pairs of the store; the intervals include it.\n");
	else
		fprintf(out,
			"How much runs of the same programs differ is not known (A/A pairs of this series "
			"in the store: %zu, %d are needed): the intervals know only how boots differ.\n",
			most, SPREAD_MIN_PAIRS);
}

void gate_write_text(const struct gate *g, const struct gate_names *names, FILE *out)
{
	print_plain(out, "%s\n", names->series);
	print_plain(out, "baseline %s, screening %s", names->base, names->screen);
	if (names->confirm)
		print_plain(out, ", confirmation %s", names->confirm);
	fprintf(out, "\n\n");
	if (g->exact) {
		gate_write_exact(g, out);
	} else {
		write_sampled(g, out);
		write_legend(g, out);
	}
	fprintf(out, "\ngate %s\n", headline(g));
}

/* Between backquotes nothing has a meaning but a backquote, and in a table the bar. */
static void code(const char *before, const char *s, FILE *out)
{
	char *line = xstrdup(s);

	str_one_line(line);
	fprintf(out, "%s`", before);
	for (const char *c = line; *c; c++) {
		if (*c == '|')
			fputc('\\', out);
		fputc(*c == '`' ? '\'' : *c, out);
	}
	fputc('`', out);
	free(line);
}

void gate_write_markdown(const struct gate *g, const struct gate_names *names, FILE *out)
{
	fprintf(out, "### bench gate: %s\n\n", headline(g));
	code("", names->series, out);
	code(": baseline ", names->base, out);
	code(", screening ", names->screen, out);
	if (names->confirm)
		code(", confirmation ", names->confirm, out);
	fprintf(out, "\n\n| metric | baseline | now | screening | confirmation | floor | between runs | detectable | result |\n"
		     "|---|--:|--:|--:|--:|--:|--:|--:|---|\n");
	for (size_t i = 0; i < g->n; i++) {
		const struct gate_row *r = &g->row[i];
		const char *bold = text_if(r->result == GATE_TRIPPED, "**");
		struct cells c;

		if (!shown(g, r))
			continue;
		fill_cells(&c, g, r);
		code("| ", r->metric, out);
		fprintf(out, " | %s | %s | %s | %s | %s | %s | %s | %s%s%s |\n", c.base, c.screen_value, c.screen,
			c.confirm, c.floor, c.between, c.detectable, bold, gate_result_text(r->result), bold);
	}
	if (g->exact)
		say_equal(g, out);
	else
		write_legend(g, out);
}


static size_t count_results(const struct gate *g, enum gate_result result)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++)
		n += g->row[i].result == result;
	return n;
}

void gate_write_junit(const struct gate *g, const struct gate_names *names, FILE *out)
{
	fprintf(out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"bench gate\" "
		"tests=\"%zu\" failures=\"%zu\" "
		"errors=\"%zu\" "
		"skipped=\"%zu\">\n",
		g->n, count_results(g, GATE_TRIPPED),
		count_results(g, GATE_TOO_FEW) + count_results(g, GATE_TOO_MANY),
		count_results(g, GATE_NOT_JUDGED));
	for (size_t i = 0; i < g->n; i++) {
		const struct gate_row *r = &g->row[i];
		struct cells c;

		fill_cells(&c, g, r);
		fprintf(out, " <testcase classname=\"");
		print_escaped(out, LANGUAGE_HTML, names->series);
		fprintf(out, "\" name=\"");
		print_escaped(out, LANGUAGE_HTML, r->metric);
		fprintf(out, "\">");
		if (r->result == GATE_TRIPPED)
			fprintf(out, "<failure message=\"%s to %s: %s; confirmed %s; floor %s\"/>",
				c.base, c.screen_value, c.screen, c.confirm, c.floor);
		else if (r->result == GATE_TOO_FEW)
			fprintf(out, "<error message=\"too few boots for an interval\"/>");
		else if (r->result == GATE_TOO_MANY)
			fprintf(out, "<error message=\"%s: too few boots for so many metrics\"/>", c.screen);
		else if (r->result == GATE_NOT_JUDGED)
			fprintf(out, "<skipped message=\"too few boots in the baseline\"/>");
		fprintf(out, "</testcase>\n");
	}
	fprintf(out, "</testsuite>\n");
}
