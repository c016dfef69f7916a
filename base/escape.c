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
static const struct escape *const escapes[] = {
	[LANGUAGE_HTML] = html, [LANGUAGE_MD] = markdown, [LANGUAGE_TEX] = tex};

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

void escape_text(struct strbuf *sb, enum language language, const char *text)
{
	char *line = xstrdup(text);

	str_one_line(line);
	for (const char *s = line; *s; s++) {
		const struct escape *e = escapes[language];

		while (e->c && e->c != *s)
			e++;
		if (e->c)
			strbuf_adds(sb, e->text);
		else if (language == LANGUAGE_TEX && (unsigned char)*s >= TEX_KNOWS)
			s = tex_unknown(sb, s);
		else
			strbuf_addc(sb, *s);
	}
	free(line);
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
