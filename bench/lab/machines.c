// SPDX-License-Identifier: MIT
#include <string.h>

#include "base/log.h"
#include "base/opts.h"
#include "bench/lab/machine.h"

const struct machine *const machine_table[] = {&machine_amd, NULL};

const struct machine *machine_find(const char *name)
{
	const char *names[ARRAY_SIZE(machine_table)];
	const char *near;
	size_t i = 0;

	if (!name)
		return machine_table[0];
	for (; machine_table[i]; i++) {
		if (!strcmp(machine_table[i]->name, name))
			return machine_table[i];
		names[i] = machine_table[i]->name;
	}
	names[i] = NULL;
	near = opts_nearest(name, names);
	if (near)
		log_error("no lab %s; did you mean %s?", name, near);
	else
		log_error("no lab %s; it is amd", name);
	return NULL;
}
