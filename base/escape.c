// SPDX-License-Identifier: MIT
#include <stdlib.h>

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
