/* SPDX-License-Identifier: MIT */
/* Grants that a back end in the VMM maps and copies. */
#ifndef PROBES_GRANTS_H
#define PROBES_GRANTS_H

#include "probes/probes.h"

/* Before the load: only what opts.grants asks for. */
void grants_choose(struct probes *p);
/* After it. A VMM without such functions is no error: there is no number then. */
void grants_attach(struct probes *p);
/* {"maps", "copies"}, or NULL. */
json_t *grants_to_json(struct probes *p);

#endif
