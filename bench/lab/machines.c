// SPDX-License-Identifier: MIT
/* The table of machines, machine.h. */
#include <string.h>

#include "bench/host/paths.h"
#include "bench/lab/machine.h"

const struct machine *const machine_table[] = {&machine_amd, &machine_intel, &machine_xen, NULL};

const struct machine *machine_find(const char *name)
{
	size_t i = 0;

	while (name && machine_table[i] && strcmp(machine_table[i]->name, name))
		i++;
	return machine_table[i];
}

char *machine_tree(const struct machine *m)
{
	if (!m->packages)
		return NULL;
	return xasprintf("%s/%s", path_cache(), m->packages);
}
