// SPDX-License-Identifier: MIT
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/family.h"
#include "analysis/stats.h"

static bool word_in(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *s = words; (s = strstr(s, word)); s += len)
		if ((s == words || s[-1] == ' ') && (!s[len] || s[len] == ' '))
			return true;
	return false;
}

enum family_part family_part_of(const char *metric, int better, const char *headline)
{
	if (!better)
		return FAMILY_ASIDE;
	if (headline && word_in(headline, metric))
		return FAMILY_HEADLINE;
	return FAMILY_OTHER;
}

static bool can_pass(const struct family_test *t, double rate)
{
	return !isnan(t->p) && t->least_p <= rate;
}

static void adjust_part(struct family_test *t, size_t n, enum family_part part, double rate, double share)
{
	double *p = xcalloc(n, sizeof(*p));
	size_t k = 0, m;

	for (size_t i = 0; i < n; i++)
		if (t[i].part == part && can_pass(&t[i], rate))
			p[k++] = t[i].p;
	stats_adjust_bh(p, k, p);
	m = k;
	k = 0;
	for (size_t i = 0; i < n; i++) {
		if (t[i].part != part || !can_pass(&t[i], rate))
			continue;
		t[i].adjusted = fmin(1, p[k++] / share);
		t[i].cut = rate * share / (double)m;
	}
	free(p);
}

void family_adjust(struct family_test *t, size_t n, double rate)
{
	bool any[FAMILY_PARTS] = {false};

	for (size_t i = 0; i < n; i++) {
		t[i].adjusted = t[i].cut = NAN;
		any[t[i].part] |= can_pass(&t[i], rate);
	}
	for (enum family_part part = 0; part < FAMILY_PARTS; part++) {
		bool shared = part != FAMILY_ASIDE && any[FAMILY_HEADLINE] && any[FAMILY_OTHER];

		adjust_part(t, n, part, rate, shared ? 0.5 : 1);
	}
}

bool family_too_large(const struct family_test *t)
{
	return !isnan(t->cut) && t->least_p > t->cut;
}
