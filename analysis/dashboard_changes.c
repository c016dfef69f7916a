// SPDX-License-Identifier: MIT
/* The levels of a series: where its history changes. */
#include <stdlib.h>

#include "analysis/changepoint.h"
#include "analysis/dashboard.h"

/* An accepted mark always starts a level: the verdict looks at later changes only
 * (dashboard_data.c). */
void dash_find_changes(struct dash_series *s)
{
	double *v = xcalloc(s->n, sizeof(*v));
	size_t *accepted = xcalloc(s->n, sizeof(*accepted)), n_accepted = 0, n;
	struct change_point *c;

	for (size_t i = 0; i < s->n; i++) {
		v[i] = s->p[i].median;
		if (s->p[i].accepted && i)
			accepted[n_accepted++] = i;
	}
	n = change_points(v, s->n, accepted, n_accepted, -1, &c);
	s->change = xcalloc(n + 1, sizeof(*s->change));
	for (size_t i = 0; i < n; i++)
		s->change[s->changes++] =
			(struct dash_change){c[i].at, c[i].before, c[i].after, c[i].provisional};
	free(c);
	free(v);
	free(accepted);
}
