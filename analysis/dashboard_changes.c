// SPDX-License-Identifier: MIT
/* The levels of a series, and what of them is told as a change. */
#include <math.h>
#include <stdlib.h>

#include "analysis/dashboard.h"

static void add_change(struct dash_series *s, struct dash_change c)
{
	s->change = xgrow(s->change, s->changes, sizeof(*s->change));
	s->change[s->changes++] = c;
}

/* What a drift leaves off at is no step when the next level begins there. */
static bool is_step(const struct change_level *before, const struct change_level *l)
{
	return l->accepted || fabs(l->from - before->to) >= CHANGE_MIN_MAGNITUDE * fabs(before->to);
}

/* An accepted mark always starts a level: the verdict looks at later changes only
 * (dashboard_data.c). */
void dash_find_changes(struct dash_series *s)
{
	double *v = xcalloc(s->n, sizeof(*v));
	size_t *accepted = xcalloc(s->n, sizeof(*accepted)), n_accepted = 0;

	for (size_t i = 0; i < s->n; i++) {
		v[i] = s->p[i].median;
		if (s->p[i].accepted && i)
			accepted[n_accepted++] = i;
	}
	s->levels = change_levels(v, s->n, accepted, n_accepted, -1);
	for (size_t i = 0; i < s->levels.n; i++) {
		const struct change_level *l = &s->levels.v[i];

		if (i && is_step(l - 1, l))
			add_change(s, (struct dash_change){l->start, l->start, l[-1].to, l->from,
							   l->provisional, false});
		if (l->drift)
			add_change(s,
				   (struct dash_change){l->start, l->end - 1, l->from, l->to, false, true});
	}
	free(v);
	free(accepted);
}
