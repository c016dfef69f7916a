// SPDX-License-Identifier: MIT
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"

/* Characters that a language takes for its own, and what stands for them. */
struct escape {
	char c;
	const char *text;
};

static const struct escape html[] = {
	{'<', "&lt;"}, {'>', "&gt;"}, {'&', "&amp;"}, {'"', "&quot;"}, {0, NULL}};
static const struct escape markdown[] = {
	{'|', "\\|"},	 {'*', "\\*"}, {'_', "\\_"}, {'`', "\\`"}, {'[', "\\["},  {']', "\\]"},
	{'<', "&lt;"}, {'>', "&gt;"}, {'&', "&amp;"}, {'~', "\\~"}, {'$', "\\$"}, {'\\', "\\\\"}, {0, NULL}};
static const struct escape tex[] = {
	{'-', "-{}"}, /* two of them are two, not a dash: options are copied from here */
	{'%', "\\%"},
	{'&', "\\&"},
	{'#', "\\#"},
	{'_', "\\_"},
	{'$', "\\$"},
	{'{', "\\{"},
	{'}', "\\}"},
	{'~', "\\textasciitilde{}"},
	{'^', "\\textasciicircum{}"},
	{'\\', "\\textbackslash{}"},
	{'<', "\\textless{}"},
	{'>', "\\textgreater{}"},
	{0, NULL},
};
static const struct escape csv[] = {{'"', "\"\""}, {0, NULL}};
static const struct escape openmetrics[] = {{'\n', "\\n"}, {'\\', "\\\\"}, {'"', "\\\""}, {0, NULL}};

/*
 * Between double quotes gnuplot runs what stands in backquotes and replaces @NAME; as octal numbers those
 * are characters like any other, in a script and in a data file, and so are the quote and the backslash.
 */
#define GNUPLOT_ESCAPES \
	{'\n', "\\n"}, {'\t', " "}, {'"', "\\042"}, {'\\', "\\134"}, {'`', "\\140"}, {'@', "\\100"}
static const struct escape gnuplot[] = {GNUPLOT_ESCAPES, {0, NULL}};
static const struct escape gnuplot_tic[] = {GNUPLOT_ESCAPES, {'%', "%%"}, {0, NULL}};

static const struct {
	const struct escape *escapes;
	void (*clean)(char *text);
	const char *quoted; /* what holds one of these is written in quotes */
} languages[] = {
	[LANGUAGE_HTML] = {html, str_one_line, ""},
	[LANGUAGE_MD] = {markdown, str_one_line, ""},
	[LANGUAGE_TEX] = {tex, str_one_line, ""},
	[LANGUAGE_CSV] = {csv, str_one_line, ",\""},
	[LANGUAGE_OPENMETRICS] = {openmetrics, str_printable, ""},
	[LANGUAGE_GNUPLOT] = {gnuplot, str_printable, ""},
	[LANGUAGE_GNUPLOT_TIC] = {gnuplot_tic, str_printable, ""},
};

/* A character beyond Latin 1 (first byte from here on) is an error to pdflatex. */
#define TEX_KNOWS 0xc4

/* Its last byte. */
static const char *tex_unknown(struct strbuf *sb, const char *s)
{
	while (((unsigned char)s[1] & 0xc0) == 0x80)
		s++;
	strbuf_addc(sb, '?');
	return s;
}

/* Spreadsheets compute what begins so, from whomever the file comes; a number may. */
static bool is_formula(const char *s)
{
	char *end;

	if (!*s || !strchr("=+-@", *s))
		return false;
	strtod(s, &end);
	return end == s || *end;
}

void escape_text(struct strbuf *sb, enum language language, const char *text)
{
	char *line = xstrdup(text);
	const char *quote;

	languages[language].clean(line);
	quote = text_if(strpbrk(line, languages[language].quoted), "\"");
	strbuf_adds(sb, quote);
	if (language == LANGUAGE_CSV && is_formula(line))
		strbuf_addc(sb, '\'');
	for (const char *s = line; *s; s++) {
		const struct escape *e = languages[language].escapes;

		while (e->c && e->c != *s)
			e++;
		if (e->c)
			strbuf_adds(sb, e->text);
		else if (language == LANGUAGE_TEX && (unsigned char)*s >= TEX_KNOWS)
			s = tex_unknown(sb, s);
		else
			strbuf_addc(sb, *s);
	}
	strbuf_adds(sb, quote);
	free(line);
}

void print_escaped(FILE *out, enum language language, const char *text)
{
	struct strbuf sb = STRBUF_INIT;

	escape_text(&sb, language, text);
	fputs(strbuf_str(&sb), out);
	strbuf_free(&sb);
}

void print_plain(FILE *out, const char *fmt, ...)
{
	size_t fmt_len = strlen(fmt), before = strspn(fmt, "\n");
	bool ends = fmt_len > before && fmt[fmt_len - 1] == '\n';
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	if (ends)
		text[strlen(text) - 1] = '\0';
	str_one_line(text + before);
	fprintf(out, "%s%s", text, text_if(ends, "\n"));
	free(text);
}
