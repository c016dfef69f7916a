// SPDX-License-Identifier: MIT
/* What the figures have in common: telling records apart and lining them up. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/figure.h"
#include "results/modes.h"

#define FIELDS 5

/* What may tell records apart. Mode host has no VMM and guest "none": its mode says as much. */
static void read_fields(const json_t *rec, const char *field[FIELDS])
{
	struct record r = record_of(rec);
	const char *const values[FIELDS] = {r.workload, r.mode, r.vmm, r.guest, r.substrate};

	for (size_t f = 0; f < FIELDS; f++)
		field[f] = text_if(strcmp(values[f], "none"), values[f]);
}

/* Records without the field do not count. */
static bool field_differs(const struct fig_set *set, size_t f)
{
	const char *first = "", *field[FIELDS];

	for (size_t i = 0; i < set->n; i++) {
		read_fields(set->rec[i], field);
		if (*first && *field[f] && strcmp(first, field[f]))
			return true;
		if (!*first)
			first = field[f];
	}
	return false;
}

static bool setting_differs(const struct fig_set *set, const char *name)
{
	char first[64] = "", other[64];

	record_setting_text(set->rec[0], name, first, sizeof(first));
	for (size_t i = 1; i < set->n; i++) {
		*other = '\0';
		record_setting_text(set->rec[i], name, other, sizeof(other));
		if (strcmp(first, other))
			return true;
	}
	return false;
}

static void add_part(struct strbuf *sb, const char *text)
{
	if (!*text)
		return;
	strbuf_sep(sb, ", ");
	strbuf_adds(sb, text);
}

static void add_settings(struct strbuf *sb, const struct fig_set *set, size_t i, json_t *settings,
			 const char *ignore)
{
	const char *key;
	json_t *value;

	json_object_foreach (settings, key, value) {
		char text[64], part[160];

		if ((ignore && !strcmp(key, ignore)) || !setting_differs(set, key) ||
		    !record_setting_text(set->rec[i], key, text, sizeof(text)))
			continue;
		snprintf(part, sizeof(part), "%s=%s", key, text);
		add_part(sb, part);
	}
}

static char *plain_label(const struct fig_set *set, size_t i, const char *ignore)
{
	struct record r = record_of(set->rec[i]);
	struct strbuf sb = STRBUF_INIT;
	const char *field[FIELDS];

	read_fields(set->rec[i], field);
	for (size_t f = 0; f < FIELDS; f++)
		if (field_differs(set, f))
			add_part(&sb, field[f]);
	add_settings(&sb, set, i, r.knobs, ignore);
	add_settings(&sb, set, i, r.params, ignore);
	if (!sb.len)
		add_part(&sb, r.mode);
	if (!sb.len)
		add_part(&sb, text_or(r.workload, "run"));
	return strbuf_take(&sb);
}

/* Two runs of one configuration are told apart by when they began; in a series they belong
 * together. */
char *fig_label(const struct fig_set *set, size_t i, const char *ignore)
{
	char *label = plain_label(set, i, ignore);
	bool unique = true;

	for (size_t k = 0; !ignore && k < set->n && unique; k++) {
		char *other = plain_label(set, k, ignore);

		unique = k == i || strcmp(label, other);
		free(other);
	}
	if (!unique && *record_of(set->rec[i]).id) {
		char *longer = xasprintf("%s, %.15s", label, record_of(set->rec[i]).id);

		free(label);
		label = longer;
	}
	str_one_line(label); /* records come from elsewhere too */
	return label;
}

static int mode_linetype(const json_t *rec)
{
	const struct mode_info *m = mode_info_find(record_of(rec).mode);

	return m ? m->linetype : 0;
}

int fig_linetype(const struct fig_set *set, size_t i)
{
	int by_mode = mode_linetype(set->rec[i]);
	for (size_t a = 0; a < set->n; a++)
		for (size_t b = 0; b < a; b++)
			if (mode_linetype(set->rec[a]) == mode_linetype(set->rec[b]))
				return (int)(i % 8) + 1;
	if (!by_mode)
		by_mode = 4;
	return by_mode;
}

int fig_missing(struct fig_doc *doc, const char *fmt, ...)
{
	char buf[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	strbuf_reset(&doc->missing);
	strbuf_adds(&doc->missing, buf);
	return -ENODATA;
}

const char *fig_common_metric(const struct fig_set *set, const char *const *names)
{
	struct interval iv;

	for (; *names; names++) {
		size_t i = 0;

		while (i < set->n && record_summary(set->rec[i], *names, &iv))
			i++;
		if (i == set->n)
			return *names;
	}
	return NULL;
}

static struct fig_series *series_find(struct fig_series **list, size_t *n,
				      const struct fig_set *set, size_t i, const char *setting)
{
	char *label = fig_label(set, i, setting);
	struct fig_series *s;

	for (size_t k = 0; k < *n; k++) {
		if (!strcmp((*list)[k].label, label)) {
			free(label);
			return &(*list)[k];
		}
	}
	*list = xgrow(*list, *n, sizeof(**list));
	s = &(*list)[(*n)++];
	*s = (struct fig_series){.label = label};
	s->linetype = mode_linetype(set->rec[i]);
	return s;
}

/* One line type per series: by mode while that tells them apart. */
static void series_linetypes(struct fig_series *s, size_t n)
{
	bool clash = false;

	for (size_t a = 0; a < n; a++)
		for (size_t b = 0; b < a; b++)
			clash |= s[a].linetype == s[b].linetype;
	for (size_t a = 0; a < n; a++)
		if (clash || !s[a].linetype)
			s[a].linetype = (int)(a % 8) + 1;
}

static int by_x(const void *a, const void *b)
{
	const struct fig_point *p = a, *q = b;

	return (p->x > q->x) - (p->x < q->x);
}

size_t fig_series_build(const struct fig_set *set, const char *setting, struct fig_series **out)
{
	size_t n = 0;
	bool enough = false;

	*out = NULL;
	for (size_t i = 0; i < set->n; i++) {
		struct fig_series *s;
		double x;

		if (!record_setting(set->rec[i], setting, &x))
			continue;
		s = series_find(out, &n, set, i, setting);
		s->point = xgrow(s->point, s->n, sizeof(*s->point));
		s->point[s->n++] = (struct fig_point){x, set->rec[i]};
	}
	for (size_t k = 0; k < n; k++) {
		qsort((*out)[k].point, (*out)[k].n, sizeof(*(*out)[k].point), by_x);
		enough |= (*out)[k].n >= 2;
	}
	series_linetypes(*out, n);
	if (enough)
		return n;
	fig_series_free(*out, n);
	*out = NULL;
	return 0;
}

void fig_series_free(struct fig_series *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(s[i].label);
		free(s[i].point);
	}
	free(s);
}
