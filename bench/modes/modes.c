// SPDX-License-Identifier: MIT
/* The table of modes. */
#include "bench/modes/mode.h"

#include <string.h>

#define X(symbol, ...) &mode_##symbol,
const struct mode *const mode_table[] = {
	&mode_none, &mode_bare, &mode_container_bare, &mode_host_block, &mode_container_block,
#include "results/mode_rows.h"
	NULL,
};
#undef X

const struct mode *mode_find(const char *name, unsigned kinds)
{
	for (const struct mode *const *m = mode_table; *m; m++)
		if ((*m)->kind & kinds && !strcmp((*m)->name, name))
			return *m;
	return NULL;
}

const struct mode *mode_without_vm(unsigned kinds)
{
	for (const struct mode *const *m = mode_table; *m; m++)
		if ((*m)->kind & kinds && !mode_has_vm(*m))
			return *m;
	return NULL;
}
