// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(MAX(n, 1), MAX(size, 1));

	if (!p)
		die(EXIT_CANNOT, "out of memory (%zu x %zu bytes); free some and try again", n, size);
	return p;
}

void *xrealloc(void *old, size_t size)
{
	void *p = realloc(old, MAX(size, 1));

	if (!p)
		die(EXIT_CANNOT, "out of memory (%zu bytes); free some and try again", size);
	return p;
}

void *xgrow(void *array, size_t n, size_t size)
{
	if (n & (n - 1))
		return array;
	return xrealloc(array, MAX(n * 2, 1) * size);
}

char *xstrdup(const char *s)
{
	char *p = strdup(s);

	if (!p)
		die(EXIT_CANNOT, "out of memory; free some and try again");
	return p;
}

char *xvasprintf(const char *fmt, va_list ap)
{
	char *s;

	if (vasprintf(&s, fmt, ap) < 0)
		die(EXIT_CANNOT, "out of memory; free some and try again");
	return s;
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = xvasprintf(fmt, ap);
	va_end(ap);
	return s;
}

/* Bytes of the character at s and the character; 0: that is no UTF-8. */
static unsigned utf8_char(const unsigned char *s, uint32_t *c)
{
	static const struct {
		unsigned char mask, lead;
		uint32_t least; /* that needs so many bytes */
	} form[] = {{0x80, 0, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
	unsigned n = 0;

	while (n < ARRAY_SIZE(form) && (s[0] & form[n].mask) != form[n].lead)
		n++;
	if (n == ARRAY_SIZE(form))
		return 0;
	*c = s[0] & (uint8_t)~form[n].mask;
	for (unsigned i = 1; i <= n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (s[i] & 0x3f);
	}
	if (*c < form[n].least || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000))
		return 0;
	return n + 1;
}

static bool is_printable(uint32_t c)
{
	static const struct {
		uint32_t from, to;
	} not[] = {{0, 0x1f},	     {0x7f, 0x9f},     {0x61c, 0x61c},
		 {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069}};

	for (size_t i = 0; i < ARRAY_SIZE(not); i++)
		if (c >= not[i].from && c <= not[i].to)
			return c == '\n' || c == '\t';
	return true;
}

void str_printable(char *s)
{
	while (*s) {
		uint32_t c;
		unsigned n = utf8_char((unsigned char *)s, &c);

		if (n && is_printable(c))
			s += n;
		else
			*s++ = '?';
	}
}

void str_one_line(char *s)
{
	str_printable(s);
	for (; *s; s++)
		if (*s == '\n' || *s == '\t')
			*s = ' ';
}

int errno_if(bool failed)
{
	return failed ? -errno : 0;
}

void close_fd(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

/* strtoull accepts "-1" and leading blanks; an option must not. */
static int parse_prefix(const char *s, uint64_t *out, const char **end)
{
	char *e;

	if (*s < '0' || *s > '9')
		return -EINVAL;
	errno = 0;
	*out = strtoull(s, &e, 0);
	if (errno)
		return -errno;
	*end = e;
	return 0;
}

int parse_u64(const char *s, uint64_t *out)
{
	const char *end = s;
	int err = parse_prefix(s, out, &end);

	if (!err && *end)
		err = -EINVAL;
	return err;
}

struct unit {
	const char *name;
	uint64_t factor;
};

static int parse_with_units(const char *s, const struct unit *units, size_t n, uint64_t *out)
{
	const char *end = s;
	uint64_t v;
	int err = parse_prefix(s, &v, &end);

	if (err)
		return err;
	for (size_t i = 0; i < n; i++) {
		if (strcasecmp(end, units[i].name))
			continue;
		return __builtin_mul_overflow(v, units[i].factor, out) ? -ERANGE : 0;
	}
	return -EINVAL;
}

int parse_size(const char *s, uint64_t *out)
{
	static const struct unit units[] = {
		{"", 1},      {"B", 1},     {"K", KIB},       {"KiB", KIB},    {"M", MIB},
		{"MiB", MIB}, {"G", GIB},   {"GiB", GIB},     {"T", KIB * GIB},
	};

	return parse_with_units(s, units, ARRAY_SIZE(units), out);
}

int parse_duration(const char *s, uint64_t *out_ns)
{
	static const struct unit units[] = {
		{"", 1000000000}, {"s", 1000000000},    {"ms", 1000000},
		{"us", 1000},     {"ns", 1},            {"m", 60000000000},
		{"h", 3600000000000},
	};

	return parse_with_units(s, units, ARRAY_SIZE(units), out_ns);
}

int parse_bool(const char *s, bool *out)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {
		{"on", true},  {"yes", true}, {"true", true},   {"1", true},
		{"off", false}, {"no", false}, {"false", false}, {"0", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!strcmp(s, words[i].word)) {
			*out = words[i].value;
			return 0;
		}
	}
	return -EINVAL;
}
