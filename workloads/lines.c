// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workloads/lines.h"

#define PREFIX "exitlab "

/* Copy the next word into buf and return what follows it, or NULL when there is none or it is too long. */
static const char *next_word(const char *s, char *buf, size_t size)
{
	size_t len;

	s += strspn(s, " ");
	len = strcspn(s, " \r\n");
	if (!len || len >= size)
		return NULL;
	memcpy(buf, s, len);
	buf[len] = '\0';
	return s + len;
}

static bool at_end(const char *s)
{
	s += strspn(s, " \r");
	return !*s || *s == '\n';
}

static int parse_double(const char *s, const char **rest, double *out)
{
	char word[64], *end;

	*rest = next_word(s, word, sizeof(word));
	if (!*rest)
		return -EBADMSG;
	*out = strtod(word, &end);
	if (*end || !isfinite(*out))
		return -EBADMSG;
	return 0;
}

/* A guest's names go into records, file names, scripts and pages: nothing there means anything but itself. */
static const char *next_name(const char *s, struct agent_line *out)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_.";

	s = next_word(s, out->name, sizeof(out->name));
	if (!s || out->name[0] < 'a' || out->name[0] > 'z' || out->name[strspn(out->name, allowed)])
		return NULL;
	return s;
}

static int parse_metric(const char *s, struct agent_line *out)
{
	s = next_name(s, out);
	if (!s)
		return -EBADMSG;
	return parse_double(s, &s, &out->value);
}

static int parse_count(const char *s, const char **rest, uint64_t *out)
{
	char word[32];

	*rest = next_word(s, word, sizeof(word));
	if (!*rest || parse_u64(word, out))
		return -EBADMSG;
	return 0;
}

/* "3:10,70:2": every slot in range, and together they are the count. */
static int parse_slots(const char *s, struct hist *h)
{
	uint64_t total = 0;

	s += strspn(s, " ");
	while (*s >= '0' && *s <= '9') {
		char *end;
		unsigned long long slot = strtoull(s, &end, 10), n;

		if (*end != ':' || slot >= HIST_SLOTS)
			return -EBADMSG;
		n = strtoull(end + 1, &end, 10);
		h->slots[slot] += n;
		total += n;
		s = end + (*end == ',');
	}
	if (total != h->count || !at_end(s))
		return -EBADMSG;
	return 0;
}

static int parse_hist(const char *s, struct agent_line *out)
{
	struct hist *h = &out->hist;
	uint64_t *const field[] = {&h->count, &h->sum, &h->min, &h->max};

	s = next_name(s, out);
	if (!s)
		return -EBADMSG;
	hist_init(h);
	for (size_t i = 0; i < ARRAY_SIZE(field); i++) {
		if (parse_count(s, &s, field[i]))
			return -EBADMSG;
	}
	if (!h->count)
		h->min = UINT64_MAX;
	return parse_slots(s, h);
}

static int parse_hex(const char *s, const char **rest, uint64_t *out)
{
	char word[32], *end;

	*rest = next_word(s, word, sizeof(word));
	if (!*rest || strspn(word, "0123456789abcdef") != strlen(word) || strlen(word) > 16)
		return -EBADMSG;
	*out = strtoull(word, &end, 16);
	return 0;
}

static int parse_region(const char *s, struct agent_line *out)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	char space[8];

	s = next_word(s, space, sizeof(space));
	if (!s || (strcmp(space, "mmio") && strcmp(space, "pio")))
		return -EBADMSG;
	out->pio = !strcmp(space, "pio");
	if (parse_hex(s, &s, &out->base) || parse_hex(s, &s, &out->len))
		return -EBADMSG;
	s = next_word(s, out->name, sizeof(out->name));
	if (!s || out->name[strspn(out->name, allowed)] || !out->len || out->base + out->len < out->base)
		return -EBADMSG;
	return 0;
}

static int parse_hello(const char *s, struct agent_line *out)
{
	if (parse_double(s, &s, &out->value) || !next_word(s, out->name, sizeof(out->name)))
		return -EBADMSG;
	return 0;
}

static int parse_text(const char *s, struct agent_line *out)
{
	s += strspn(s, " ");
	snprintf(out->text, sizeof(out->text), "%.*s", (int)strcspn(s, "\r\n"), s);
	return 0;
}

static int parse_nothing(const char *s, struct agent_line *out)
{
	(void)out;
	if (!at_end(s))
		return -EBADMSG;
	return 0;
}

static const struct {
	const char *word;
	enum line_kind kind;
	int (*parse)(const char *rest, struct agent_line *out);
} kinds[] = {
	{"hello", LINE_HELLO, parse_hello},    {"ready", LINE_READY, parse_nothing},
	{"metric", LINE_METRIC, parse_metric}, {"hist", LINE_HIST, parse_hist},
	{"region", LINE_REGION, parse_region},
	{"note", LINE_NOTE, parse_text},       {"fail", LINE_FAIL, parse_text},
	{"done", LINE_DONE, parse_nothing},
};

int line_parse(const char *text, struct agent_line *out)
{
	char word[16];
	const char *rest;

	memset(out, 0, offsetof(struct agent_line, hist));
	if (strncmp(text, PREFIX, strlen(PREFIX)) != 0)
		return 0;
	rest = next_word(text + strlen(PREFIX), word, sizeof(word));
	for (size_t i = 0; rest && i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(word, kinds[i].word) != 0)
			continue;
		out->kind = kinds[i].kind;
		return kinds[i].parse(rest, out);
	}
	return -EBADMSG;
}

void line_add_hist(struct strbuf *sb, const char *name, const struct hist *h)
{
	const char *sep = "";

	strbuf_addf(sb, PREFIX "hist %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " ", name, h->count,
		    h->sum, h->count ? h->min : 0, h->max);
	for (unsigned i = 0; i < HIST_SLOTS; i++) {
		if (!h->slots[i])
			continue;
		strbuf_addf(sb, "%s%u:%" PRIu64, sep, i, h->slots[i]);
		sep = ",";
	}
	strbuf_addc(sb, '\n');
}

void line_add_metric(struct strbuf *sb, const char *name, double value)
{
	if (value == floor(value) && fabs(value) < 1e18)
		strbuf_addf(sb, PREFIX "metric %s %.0f\n", name, value);
	else
		strbuf_addf(sb, PREFIX "metric %s %.15g\n", name, value);
}
