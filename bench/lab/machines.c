// SPDX-License-Identifier: MIT
/* The table of machines, machine.h. */
#include <string.h>

#include "bench/lab/machine.h"

const struct machine *const machine_table[] = {&machine_amd, &machine_intel, NULL};

const struct machine *machine_find(const char *name)
{
	size_t i = 0;

	while (name && machine_table[i] && strcmp(machine_table[i]->name, name))
		i++;
	return machine_table[i];
}
