// SPDX-License-Identifier: MIT
#include <stddef.h>
#include <string.h>

#include "results/modes.h"

#define X(symbol, ...) {__VA_ARGS__},
const struct mode_info mode_info_table[] = {
#include "results/mode_rows.h"
	{NULL, 0, NULL},
};
#undef X

const struct mode_info *mode_info_find(const char *name)
{
	for (const struct mode_info *m = mode_info_table; m->name; m++)
		if (!strcmp(m->name, name))
			return m;
	return NULL;
}
