// SPDX-License-Identifier: MIT
/* The table of figures. */
#include <string.h>

#include "analysis/figure.h"

#define X(symbol, name, aspect, how, has, title, needs, supply) \
	{name, title, needs, supply, aspect, how, fig_##symbol, has},
const struct figure figure_table[] = {
#include "analysis/figure_rows.h"
	{NULL, NULL, NULL, NULL, 0, FIG_ALL, NULL, NULL},
};
#undef X

const struct figure *figure_find(const char *name)
{
	for (const struct figure *f = figure_table; f->name; f++)
		if (!strcmp(f->name, name))
			return f;
	return NULL;
}
