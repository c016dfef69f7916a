// SPDX-License-Identifier: MIT
/* What the figures have in common: telling records apart, lining them up, axes and labels. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/figure.h"
#include "analysis/view.h"

/* Line types of style.gp, by mode. */
static const struct {
	const char *mode;
	int linetype;
} mode_style[] = {
	{"virtio", 1}, {"sriov", 2}, {"vhost", 3}, {"e1000", 5}, {"vhost-user", 7}, {"host", 8},
};

static const char *const label_fields[] = {"workload", "mode", "vmm", "guest", "substrate"};

/* Mode host has no VMM and guest "none": its mode says as much. */
static const char *field_of(const json_t *rec, const char *field)
{
	const char *s = view_str(rec, field);

	return strcmp(s, "none") ? s : "";
}

/* Records without the field do not count. */
static bool field_differs(const struct fig_set *set, const char *field)
{
	const char *first = "";

	for (size_t i = 0; i < set->n; i++) {
		const char *s = field_of(set->rec[i], field);

		if (*first && *s && strcmp(first, s))
			return true;
		if (!*first)
			first = s;
	}
	return false;
}

static bool setting_differs(const struct fig_set *set, const char *name)
{
	char first[64] = "", other[64];

	view_text(set->rec[0], name, first, sizeof(first));
	for (size_t i = 1; i < set->n; i++) {
		*other = '\0';
		view_text(set->rec[i], name, other, sizeof(other));
		if (strcmp(first, other))
			return true;
	}
	return false;
}

static void add_part(struct strbuf *sb, const char *text)
{
	if (*text)
		strbuf_addf(sb, "%s%s", sb->len ? ", " : "", text);
}

static void add_settings(struct strbuf *sb, const struct fig_set *set, size_t i, const char *group,
			 const char *ignore)
{
	const char *key;
	json_t *value;

	json_object_foreach (json_object_get(set->rec[i], group), key, value) {
		char text[64], part[160];

		if ((ignore && !strcmp(key, ignore)) || !setting_differs(set, key) ||
		    !view_text(set->rec[i], key, text, sizeof(text)))
			continue;
		snprintf(part, sizeof(part), "%s=%s", key, text);
		add_part(sb, part);
	}
}

static char *plain_label(const struct fig_set *set, size_t i, const char *ignore)
{
	struct strbuf sb = STRBUF_INIT;
	const json_t *rec = set->rec[i];

	for (size_t f = 0; f < ARRAY_SIZE(label_fields); f++)
		if (field_differs(set, label_fields[f]))
			add_part(&sb, field_of(rec, label_fields[f]));
	add_settings(&sb, set, i, "knobs", ignore);
	add_settings(&sb, set, i, "params", ignore);
	if (!sb.len)
		add_part(&sb, view_str(rec, "mode"));
	if (!sb.len)
		add_part(&sb, view_str(rec, "workload"));
	return sb.len ? strbuf_take(&sb) : xstrdup("run");
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
	if (!unique && *view_str(set->rec[i], "id")) {
		char *longer = xasprintf("%s, %.15s", label, view_str(set->rec[i], "id"));

		free(label);
		return longer;
	}
	return label;
}

static int mode_linetype(const json_t *rec)
{
	for (size_t m = 0; m < ARRAY_SIZE(mode_style); m++)
		if (!strcmp(view_str(rec, "mode"), mode_style[m].mode))
			return mode_style[m].linetype;
	return 0;
}

int fig_linetype(const struct fig_set *set, size_t i)
{
	for (size_t a = 0; a < set->n; a++)
		for (size_t b = 0; b < a; b++)
			if (mode_linetype(set->rec[a]) == mode_linetype(set->rec[b]))
				return (int)(i % 8) + 1;
	return mode_linetype(set->rec[i]) ? mode_linetype(set->rec[i]) : 4;
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

static void quote(struct strbuf *sb, const char *s, const char *twice)
{
	strbuf_addc(sb, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			strbuf_addc(sb, '\\');
		if (strchr(twice, *s))
			strbuf_addc(sb, *s);
		if (*s == '\n')
			strbuf_adds(sb, "\\n");
		else
			strbuf_addc(sb, *s);
	}
	strbuf_addc(sb, '"');
}

void fig_quote(struct strbuf *sb, const char *s)
{
	quote(sb, s, "");
}

void fig_quote_tic(struct strbuf *sb, const char *s)
{
	quote(sb, s, "%");
}

void fig_num(struct strbuf *sb, double v)
{
	if (isfinite(v))
		strbuf_addf(sb, " %.6g", v);
	else
		strbuf_adds(sb, " NaN");
}

double fig_si(double max, const char **prefix)
{
	static const char *const names[] = {"", "k", "M", "G", "T"};
	double scale = 1;
	size_t p = 0;

	while (max / scale >= 1000 && p < ARRAY_SIZE(names) - 1) {
		scale *= 1000;
		p++;
	}
	*prefix = names[p];
	return scale;
}

#define CHAR_IN	 0.053 /* mean width of a letter at 7 pt */
#define LINE_IN	 0.115 /* height of a line */
#define YAXIS_IN 0.55  /* what the y axis takes of the width */

enum wrap { WHOLE, AT_COMMAS, AT_HYPHENS, TURNED };

/* The label in lines. Caller frees. */
static char *wrapped(const char *label, enum wrap wrap)
{
	struct strbuf sb = STRBUF_INIT;

	for (const char *s = label; *s; s++) {
		bool comma = wrap >= AT_COMMAS && s[0] == ',' && s[1] == ' ';

		if (!comma)
			strbuf_addc(&sb, *s);
		if (comma || (wrap >= AT_HYPHENS && *s == '-'))
			strbuf_addc(&sb, '\n');
		s += comma;
	}
	return strbuf_take(&sb);
}

static double longest_line_in(const char *s)
{
	size_t longest = 0, len = 0;

	for (; *s; s++) {
		len = *s == '\n' ? 0 : len + ((*s & 0xc0) != 0x80);
		longest = MAX(longest, len);
	}
	return (double)longest * CHAR_IN;
}

/* Width of the widest label when wrapped so, and its lines. */
static double labels_in(const struct fig_set *set, enum wrap wrap, unsigned *lines)
{
	double widest = 0;

	*lines = 1;
	for (size_t i = 0; i < set->n; i++) {
		char *label = fig_label(set, i, NULL), *text = wrapped(label, wrap);
		unsigned n = 1;

		for (const char *p = text; *p; p++)
			n += *p == '\n';
		*lines = MAX(*lines, n);
		widest = fmax(widest, longest_line_in(text));
		free(label);
		free(text);
	}
	return widest;
}

void fig_category_axis(const struct fig_set *set, struct fig_doc *doc)
{
	double slot_in = (doc->width_in - YAXIS_IN) / (double)set->n;
	enum wrap wrap = WHOLE;
	unsigned lines = 1;

	while (wrap < TURNED &&
	       labels_in(set, wrap, &lines) + (wrap == WHOLE ? 2 : 1.2) * CHAR_IN > slot_in)
		wrap++;
	strbuf_addf(&doc->gp, "set xrange [-0.6:%g]\nset xtics scale 0%s (", (double)set->n - 0.4,
		    wrap == TURNED ? " rotate by 35 right" : "");
	for (size_t i = 0; i < set->n; i++) {
		char *label = fig_label(set, i, NULL),
		     *text = wrapped(label, wrap == TURNED ? WHOLE : wrap);

		strbuf_adds(&doc->gp, i ? ", " : "");
		fig_quote_tic(&doc->gp, text);
		strbuf_addf(&doc->gp, " %zu", i);
		free(label);
		free(text);
	}
	strbuf_adds(&doc->gp, ")\n");
	if (wrap == TURNED) {
		double deep_in = 0.57 * labels_in(set, WHOLE, &lines) + LINE_IN;

		doc->height_in += deep_in - 2 * LINE_IN;
		strbuf_addf(&doc->gp, "set bmargin %.1f\n", deep_in / LINE_IN);
	} else if (lines > 1) { /* gnuplot leaves room for one line only */
		strbuf_addf(&doc->gp, "set bmargin %.1f\n", 0.9 + 0.95 * lines);
	}
}

const char *fig_common_metric(const struct fig_set *set, const char *const *names)
{
	struct interval iv;

	for (; *names; names++) {
		size_t i = 0;

		while (i < set->n && view_summary(set->rec[i], *names, &iv))
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
	*list = xrealloc(*list, (*n + 1) * sizeof(**list));
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

		if (!view_number(set->rec[i], setting, &x))
			continue;
		s = series_find(out, &n, set, i, setting);
		s->point = xrealloc(s->point, (s->n + 1) * sizeof(*s->point));
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

static int by_y(const void *a, const void *b)
{
	const struct fig_end_label *p = a, *q = b;

	return (p->y > q->y) - (p->y < q->y);
}

void fig_end_labels(struct fig_doc *doc, struct fig_end_label *l, size_t n, double plot_height_in)
{
	double gap = LINE_IN / plot_height_in, over;
	size_t longest = 0;

	qsort(l, n, sizeof(*l), by_y);
	for (size_t i = 1; i < n; i++)
		l[i].y = MAX(l[i].y, l[i - 1].y + gap);
	/* Pushed out at the top: move the stack down as far as it has to go. */
	over = n ? l[n - 1].y - 1 : 0;
	for (size_t i = n; over > 0 && i-- > 0;) {
		double limit = i + 1 < n ? l[i + 1].y - gap : 1;

		l[i].y = MIN(l[i].y, limit);
	}
	for (size_t i = 0; i < n; i++) {
		longest = MAX(longest, strlen(l[i].text));
		strbuf_adds(&doc->gp, "set label ");
		fig_quote(&doc->gp, l[i].text);
		strbuf_addf(&doc->gp, " at graph 1.02, graph %.3f left tc lt %d\n", l[i].y,
			    l[i].linetype);
	}
	strbuf_addf(&doc->gp, "set rmargin %.1f\n", (double)longest * 0.92 + 1.5);
}

void fig_log_tics(struct fig_doc *doc, const char *axis, double low, double high)
{
	static const double steps[] = {1, 2, 5};
	const char *comma = "";

	/* gnuplot labels powers of ten only, which leaves a short axis with one label or none. */
	if (log10(high / low) > 2.2)
		return;
	strbuf_addf(&doc->gp, "set %stics (", axis);
	for (int e = (int)floor(log10(low)); e <= (int)ceil(log10(high)); e++) {
		for (size_t k = 0; k < ARRAY_SIZE(steps); k++) {
			double v = steps[k] * pow(10, e);

			if (v < low || v > high)
				continue;
			strbuf_addf(&doc->gp, "%s\"%g\" %g", comma, v, v);
			comma = ", ";
		}
	}
	strbuf_adds(&doc->gp, ")\n");
}

void fig_setting_tics(struct fig_doc *doc, const struct fig_series *s, size_t n)
{
	const char *comma = "";
	double last = 0;

	strbuf_adds(&doc->gp, "set xtics (");
	for (;;) {
		double next = INFINITY;
		const char *suffix = "";
		double shown;

		for (size_t k = 0; k < n; k++)
			for (size_t i = 0; i < s[k].n; i++)
				if (s[k].point[i].x > last)
					next = fmin(next, s[k].point[i].x);
		if (!isfinite(next))
			break;
		shown = next;
		if (fmod(next, 1024) == 0) {
			shown = next / 1024;
			suffix = "Ki";
		} else if (fmod(next, 1000) == 0) {
			shown = next / 1000;
			suffix = "k";
		}
		strbuf_addf(&doc->gp, "%s\"%g%s\" %.10g", comma, shown, suffix, next);
		comma = ", ";
		last = next;
	}
	strbuf_adds(&doc->gp, ")\n");
}

void fig_linear_tics(struct fig_doc *doc, const char *axis, double max, unsigned most)
{
	double step = pow(10, floor(log10(max / most)));

	while (max / step > most)
		step *= max / step > 4 * most ? 5 : 2;
	strbuf_addf(&doc->gp, "set %stics %g\n", axis, step);
}
