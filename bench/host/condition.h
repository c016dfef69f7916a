/* SPDX-License-Identifier: MIT */
/*
 * A machine made slow or busy on purpose, for as long as a plan runs: what holds on a machine that is fast
 * and free should hold there too.
 */
#ifndef BENCH_HOST_CONDITION_H
#define BENCH_HOST_CONDITION_H

#include <sched.h>
#include "base/util.h"

struct journal;

struct condition {
	struct journal *journal; /* of the control group; NULL: none was made */
	char *home;              /* cgroup.procs of the group that we came from */
	pid_t hog;               /* the process that keeps a CPU busy; 0: none */
	cpu_set_t cpus;          /* that we had before */
	bool fewer;              /* and have no longer */
};

/*
 * This process and what it starts are under the condition from here on; NULL is "free". 0 or -errno (logged).
 */
int condition_begin(struct condition *c, const char *name);
void condition_end(struct condition *c);

/*
 * Nanoseconds of processor time that a fixed piece of integer work takes here, the least of a few tries:
 * how fast this machine is just now, as a number that is kept with the record.
 */
uint64_t condition_calibrate(void);

#endif
