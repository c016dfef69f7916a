// SPDX-License-Identifier: MIT
#include "probes/skeleton.h"

#include "probes/internal.h"

json_t *skeleton_to_json(struct probes *p)
{
	return json_pack("{s:I}", "userspace", (json_int_t)p->skel->bss->skeleton_count);
}
