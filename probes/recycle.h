/* SPDX-License-Identifier: MIT */
/*
 * A host is watched for weeks and its VMs come and go: when vCPUs, rows or threads get short, those that have
 * ended give theirs to new ones. What they counted stays, by reason alone, in the rows and totals of nobody
 * (vCPU -1); the time of threads in a row for each role.
 */
#ifndef PROBES_RECYCLE_H
#define PROBES_RECYCLE_H

#include "probes/state.h"

struct probes;

#define ENDED_ROLES 8 /* more than there are */

struct ended {
	uint64_t kicks; /* doorbells to userspace, known by a name that only their VM could give */
	struct ended_threads {
		const char *role; /* NULL: not in use */
		uint64_t n, cpu_ns, softirq_ns, runq_ns, switches;
	} threads[ENDED_ROLES];
	uint32_t threads_given_up, threads_left; /* left: when last looked at */
};

/* Look whether room is short; call it a few times a second. */
void recycle(struct probes *p);

#endif
