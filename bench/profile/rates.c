// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "bench/profile/rates.h"

static void row_id(const struct view_row *row, char *id, size_t size)
{
	snprintf(id, size, "%s|%s|%s", row->reason, row->key, row->device);
}

/* The index of the row, or of a free place for it; -1 when there is neither. */
static int find_row(const struct rates *r, const char *id)
{
	int free_one = -1;

	for (int i = 0; i < RATES_ROWS; i++) {
		if (!strcmp(r->row[i].id, id))
			return i;
		if (!r->row[i].id[0] && free_one < 0)
			free_one = i;
	}
	return free_one;
}

static void push_rate(struct rates *r, int i, double rate)
{
	double *kept = r->row[i].rate;

	memmove(kept, kept + 1, (RATES_KEPT - 1) * sizeof(*kept));
	kept[RATES_KEPT - 1] = rate;
	r->row[i].idle++;
	if (rate > 0)
		r->row[i].idle = 0;
	if (r->row[i].idle >= RATES_KEPT)
		memset(&r->row[i], 0, sizeof(r->row[i]));
}

void rates_add(struct rates *r, const struct view *v, double seconds)
{
	bool seen[RATES_ROWS] = {false};
	char id[sizeof(r->row[0].id)];

	for (size_t i = 0; i < v->n; i++) {
		int at;

		row_id(&v->row[i], id, sizeof(id));
		at = find_row(r, id);
		if (at < 0)
			continue;
		memcpy(r->row[at].id, id, sizeof(id));
		push_rate(r, at, (double)v->row[i].count / seconds);
		seen[at] = true;
	}
	for (int i = 0; i < RATES_ROWS; i++)
		if (r->row[i].id[0] && !seen[i])
			push_rate(r, i, 0);
}

void rates_sparkline(const struct rates *r, const struct view_row *row, char *buf, size_t size)
{
	static const char *const bars[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	char id[sizeof(r->row[0].id)];
	double most = 0;
	int at;

	buf[0] = '\0';
	row_id(row, id, sizeof(id));
	at = find_row(r, id);
	if (at < 0 || !r->row[at].id[0])
		return;
	for (size_t i = 0; i < RATES_KEPT; i++)
		most = MAX(most, r->row[at].rate[i]);
	for (size_t i = 0; most > 0 && i < RATES_KEPT; i++) {
		double rate = r->row[at].rate[i];
		size_t height = (rate > 0) + (size_t)(7 * rate / most);

		strncat(buf, bars[height], size - strlen(buf) - 1);
	}
}
