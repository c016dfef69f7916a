// SPDX-License-Identifier: MIT
#include <stdarg.h>
#include <string.h>

#include "analysis/page.h"
#include "base/escape.h"
#include "base/log.h"

#define PART "<!-- part "

/* From behind the line that names it to the next such line or the end. */
static const char *find_part(const char *html, const char *part, const char **end)
{
	size_t len = strlen(part);

	for (const char *s = strstr(html, PART); s; s = strstr(s + 1, PART)) {
		const char *name = s + strlen(PART), *begin = strchr(name, '\n');

		if (!begin || strncmp(name, part, len) != 0 || name[len] != ' ')
			continue;
		*end = strstr(begin, PART);
		if (!*end)
			*end = begin + strlen(begin);
		return begin + 1;
	}
	BUG("a page without this part");
}

static const char *find_text(const char *place, size_t len, va_list pairs)
{
	const char *name;

	while ((name = va_arg(pairs, const char *))) {
		const char *text = va_arg(pairs, const char *);

		if (strlen(name) == len && !memcmp(name, place, len))
			return text;
	}
	BUG("a place of a page that nothing stands for");
}

void page_add(struct strbuf *out, const char *html, const char *part, ...)
{
	const char *end, *s = find_part(html, part, &end), *place;

	while ((place = strstr(s, "{{")) && place < end) {
		bool plain = place[2] == '&';
		const char *name = place + 2 + plain, *text;
		size_t len = strcspn(name, "}");
		va_list pairs;

		strbuf_add(out, s, (size_t)(place - s));
		va_start(pairs, part);
		text = find_text(name, len, pairs);
		va_end(pairs);
		if (plain)
			strbuf_adds(out, text);
		else
			escape_text(out, LANGUAGE_HTML, text);
		s = name + len + strlen("}}");
	}
	strbuf_add(out, s, (size_t)(end - s));
}
