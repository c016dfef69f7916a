// SPDX-License-Identifier: MIT
/*
 * How a workload looks to the runner: to be copied (CONTRIBUTING.md); agent/skeleton.c is what the guest
 * does. A network workload has a second half in workloads/agent/peer*.c. New metric names are rows of
 * results/metrics.c, new keys of the job rows of workloads/job.c.
 *
 * This row is compiled and validated by the unit test, so that it cannot rot, but it is not in the table.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "workloads/table.h"

/* Optional: what differs from the defaults of the job's keys (workloads/job.c). */
static void skeleton_defaults(struct workload_job *job)
{
	job->warmup_ns = 100 * NSEC_PER_MSEC;
}

/* Optional: refuse what makes no sense, before anything is started, in one line. */
static int check_skeleton_job(const struct workload_job *job)
{
	if (job->streams <= 8)
		return 0;
	log_error("skeleton: streams=%llu; it knows at most 8", (unsigned long long)job->streams);
	return -EINVAL;
}

const struct workload workload_skeleton = {
	.name = "skeleton", /* lower case, digits and '-' */
	.summary = "one line for bench list, no full stop",
	.needs = 0,			     /* beyond what mode and guest need: NEED_ROOT, ... */
	.guests = GUEST_LINUX | GUEST_NONE,  /* the lowest bit is the default */
	.flags = 0,			     /* WORKLOAD_NET and WORKLOAD_PEER for a device path */
	.duration_ns = 2 * NSEC_PER_SEC,     /* or 0, and defaults() sets job->work */
	.metrics = "ops_per_s exits_per_op", /* the first is the headline */
	.defaults = skeleton_defaults,
	.check = check_skeleton_job,
};
