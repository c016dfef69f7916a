/* SPDX-License-Identifier: MIT */
/*
 * Hardware and software events by name, through libpfm4 and perf_event_open.
 *
 *   LIST    "cycles:G,cycles:H,{instructions:u,branch-misses:u},page-faults"
 *   :u :k   user, kernel        :G :H   in the guest, in the host        {a,b}   one group: counted at the
 *           same times
 *
 * Counted per thread that the process has at open; threads that these start later are added to theirs.
 */
#ifndef PROBES_COUNTERS_H
#define PROBES_COUNTERS_H

#include <jansson.h>
#include <stdio.h>
#include <sys/types.h>
#include "base/util.h"

struct counters;

/*
 * 0; -EINVAL: no such event (the nearest name is logged); -EPERM. Events that this machine cannot count are
 * left out, which is said once.
 */
int counters_open(struct counters **out, const char *list, pid_t pid);
void counters_close(struct counters *c);
/*
 * [{"event", "tid", "count", "scale"}]: count is scaled up when events took turns; scale is the share of
 * the time counted.
 */
json_t *counters_to_json(struct counters *c);
/* Every event that this machine knows, one a line, by PMU. */
void counters_list(FILE *out);

/* One entry of LIST taken apart, for the tests. */
struct counter_spec {
	char name[128]; /* without modifiers */
	bool user, kernel, guest, host; /* none of a pair: both */
	int group;      /* 0: none */
};
/* Parses the next entry at *list and moves on; 1, 0 at the end, -EINVAL (logged). */
int counter_spec_next(const char **list, int *group, struct counter_spec *out);

#endif
