/* SPDX-License-Identifier: MIT */
/* Pairs of exits that follow one another closely: pairs.bpf.c */
#ifndef PROBES_PAIRS_H
#define PROBES_PAIRS_H

#include "probes/probes.h"

/* Before the load: without opts.pairs_ns there is no room for any. */
void pairs_choose(struct probes *p);
/*
 * {"within_ns", "lost", "rows": [{"first": {"reason", "key", "device"}, "then": {the same}, "count", "of",
 * "guest_ns"}]}, the most frequent first. of: how many exits the first was in all; guest_ns: between the
 * two, of all these pairs. A new object.
 */
json_t *pairs_to_json(struct probes *p);

#endif
