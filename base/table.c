// SPDX-License-Identifier: MIT
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/strlist.h"
#include "base/table.h"

struct table {
	size_t columns;
	bool *right;
	struct strlist cells; /* the header is the first row */
};

/* What stands in a cell may come from a stranger's record. */
static void table_push(struct table *t, char *text)
{
	str_one_line(text);
	strlist_take(&t->cells, text);
}

static void add_column(struct table *t, const char *name)
{
	bool right = name[0] == ':';
	char *text = xstrdup(name + right);
	size_t len = strlen(text);

	if (!right && len && text[len - 1] == ':')
		text[len - 1] = '\0';
	t->right = xgrow(t->right, t->columns, sizeof(*t->right));
	t->right[t->columns++] = right;
	table_push(t, text);
}

struct table *table_new(int columns, ...)
{
	struct table *t = xcalloc(1, sizeof(*t));
	va_list ap;

	va_start(ap, columns);
	for (int i = 0; i < columns; i++)
		add_column(t, va_arg(ap, const char *));
	va_end(ap);
	return t;
}

struct table *table_new_from(const char *const *names)
{
	struct table *t = xcalloc(1, sizeof(*t));

	for (; *names; names++)
		add_column(t, *names);
	return t;
}

void table_cell(struct table *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	table_push(t, xvasprintf(fmt, ap));
	va_end(ap);
}

/* Columns on screen: bytes that do not continue a UTF-8 sequence. */
static size_t text_width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += (*s & 0xc0) != 0x80;
	return n;
}

static void print_cell(FILE *out, const char *s, size_t width, bool right, bool last)
{
	size_t pad = width - text_width(s);

	if (right)
		fprintf(out, "%*s%s", (int)pad, "", s);
	else if (last)
		fputs(s, out);
	else
		fprintf(out, "%s%*s", s, (int)pad, "");
	fputs(text_if(!last, "  "), out);
}

/* Fills up the last row; the width of each column. Caller frees. */
static size_t *table_layout(struct table *t)
{
	size_t *width = xcalloc(t->columns, sizeof(*width));

	while (t->cells.n % t->columns)
		table_push(t, xstrdup(""));
	for (size_t i = 0; i < t->cells.n; i++)
		width[i % t->columns] = MAX(width[i % t->columns], text_width(t->cells.v[i]));
	return width;
}

void table_print(struct table *t, FILE *out)
{
	size_t *width = table_layout(t);
	bool bold = term_colour(fileno(out));

	for (size_t i = 0; i < t->cells.n; i++) {
		size_t col = i % t->columns;

		if (bold && !i)
			fputs("\033[1m", out);
		print_cell(out, t->cells.v[i], width[col], t->right[col], col == t->columns - 1);
		if (col == t->columns - 1)
			fprintf(out, "%s\n", text_if(bold && i == col, "\033[0m"));
	}
	strlist_free(&t->cells);
	free(t->right);
	free(width);
	free(t);
}

static size_t room(FILE *out)
{
	struct winsize ws = {.ws_col = 0};

	ioctl(fileno(out), TIOCGWINSZ, &ws);
	return or_usual(ws.ws_col, TABLE_ROOM);
}

/* Rows become columns, all but the names right aligned. */
static void transpose(struct table *t, size_t rows)
{
	size_t columns = t->columns;
	struct strlist old = t->cells;

	t->cells.v = xcalloc(old.n + 1, sizeof(*old.v));
	for (size_t i = 0; i < t->cells.n; i++)
		t->cells.v[i % columns * rows + i / columns] = old.v[i];
	free(old.v);
	t->columns = rows;
	t->right = xrealloc(t->right, rows * sizeof(*t->right));
	for (size_t i = 0; i < rows; i++)
		t->right[i] = i > 0;
}

void table_print_fit(struct table *t, FILE *out)
{
	size_t *width = table_layout(t), sum = 0, rows = t->cells.n / t->columns;

	for (size_t i = 0; i < t->columns; i++)
		sum += width[i] + 2;
	free(width);
	if (sum > room(out) + 2 && rows > 1 && rows < t->columns)
		transpose(t, rows);
	table_print(t, out);
}

static char *ring_buffer(size_t *size)
{
	static char ring[16][32];
	static unsigned next;

	*size = sizeof(ring[0]);
	return ring[next++ % ARRAY_SIZE(ring)];
}

static int digits_after_point(double v)
{
	if (v < 9.995)
		return 2;
	return v < 99.95;
}

const char *fmt_si(double v)
{
	static const char *const prefix[] = {"", " k", " M", " G", " T", " P"};
	size_t size, p = 0;
	char *buf = ring_buffer(&size);
	double a = fabs(v);
	int digits;

	while (a >= 999.5 && p < ARRAY_SIZE(prefix) - 1) {
		a /= 1000;
		p++;
	}
	digits = digits_after_point(a);
	if (!p && a == floor(a))
		digits = 0;
	if (a > 0 && a < 0.0995) /* 0.0038: two digits that mean something */
		snprintf(buf, size, "%.2g", v);
	else
		snprintf(buf, size, "%s%.*f%s", text_if(v < 0, "-"), digits, a, prefix[p]);
	return buf;
}

const char *fmt_ns(double ns)
{
	static const char *const unit[] = {"ns", "us", "ms", "s"};
	size_t size, u = 0;
	char *buf = ring_buffer(&size);

	while (fabs(ns) >= 999.5 && u < ARRAY_SIZE(unit) - 1) {
		ns /= 1000;
		u++;
	}
	snprintf(buf, size, "%.*f %s", u ? digits_after_point(fabs(ns)) : 0, ns, unit[u]);
	return buf;
}
