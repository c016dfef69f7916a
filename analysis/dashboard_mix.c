// SPDX-License-Identifier: MIT
/* Exits by reason over time, from the exits.csv of each run: a record.json would be a hundred times
 * the text. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/dashboard.h"
#include "base/file.h"

struct count {
	char reason[48];
	double total;  /* over all runs */
	double *value; /* per point */
};

struct counts {
	struct count *c;
	size_t n, points;
};

/* The name goes into the page's data, which must be UTF-8; the file may be a stranger's. */
static struct count *count_of(struct counts *all, const char *said, size_t len)
{
	char reason[sizeof(all->c->reason)];
	struct count *c;

	snprintf(reason, sizeof(reason), "%.*s", (int)MIN(len, sizeof(reason)), said);
	str_one_line(reason);
	for (size_t i = 0; i < all->n; i++)
		if (!strcmp(all->c[i].reason, reason))
			return &all->c[i];
	all->c = xgrow(all->c, all->n, sizeof(*all->c));
	c = &all->c[all->n++];
	*c = (struct count){.value = xcalloc(all->points, sizeof(*c->value))};
	memcpy(c->reason, reason, sizeof(reason));
	return c;
}

/* The key may be quoted and hold commas; skip to the field after it. */
static const char *after_key(const char *s)
{
	if (*s == '"')
		for (s++; *s && *s != '\n' && (*s != '"' || s[1] == '"'); s++)
			s += *s == '"';
	s += strcspn(s, ",\n");
	return *s == ',' ? s + 1 : NULL;
}

/* sample,reason,key,count,...: sum over samples. Returns the number of samples seen. */
static size_t add_rows(struct counts *all, size_t point, const char *csv)
{
	size_t samples = 0, reason_len;
	long last = -1;

	for (const char *line = strchr(csv, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
		char *end;
		long sample = strtol(line + 1, &end, 10);
		const char *reason = end + 1, *count;

		if (*end != ',')
			continue;
		reason_len = strcspn(reason, ",\n");
		if (reason[reason_len] != ',')
			continue;
		count = after_key(reason + reason_len + 1);
		if (!count)
			continue;
		samples += sample != last;
		last = sample;
		count_of(all, reason, reason_len)->value[point] += strtod(count, NULL);
	}
	return samples;
}

static void read_run(struct counts *all, size_t point, const char *runs_dir, const char *id)
{
	char *path = xasprintf("%s/%s/exits.csv", runs_dir, id);
	struct strbuf csv = STRBUF_INIT;
	size_t samples = 0;

	if (!file_read(path, &csv))
		samples = add_rows(all, point, strbuf_str(&csv));

	for (size_t i = 0; i < all->n; i++) {
		if (samples)
			all->c[i].value[point] /= (double)samples;
		all->c[i].total += all->c[i].value[point];
	}
	strbuf_free(&csv);
	free(path);
}

static int by_total(const void *a, const void *b)
{
	double x = ((const struct count *)a)->total, y = ((const struct count *)b)->total;

	return (x < y) - (x > y);
}

void dash_mix_read(struct dash_mix *m, const struct dash_series *s, const char *runs_dir)
{
	struct counts all = {.points = s->n};

	for (size_t i = 0; i < s->n; i++)
		read_run(&all, i, runs_dir, s->p[i].id);
	if (all.n)
		qsort(all.c, all.n, sizeof(*all.c), by_total);
	*m = (struct dash_mix){.reasons = MIN(all.n, (size_t)DASH_REASONS),
			       .value = xcalloc(DASH_REASONS * s->n, sizeof(double))};
	for (size_t r = 0; r < all.n; r++) {
		size_t to = MIN(r, (size_t)DASH_REASONS - 1);
		const char *name = all.c[r].reason;

		if (r > to)
			name = "other";
		for (size_t i = 0; i < s->n; i++)
			m->value[to * s->n + i] += all.c[r].value[i];
		snprintf(m->name[to], sizeof(m->name[to]), "%s", name);
		free(all.c[r].value);
	}
	free(all.c);
}

void dash_mix_free(struct dash_mix *m)
{
	free(m->value);
}
