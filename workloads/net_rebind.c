// SPDX-License-Identifier: MIT
/* A check more than a measurement: devices must survive their driver's leaving and coming back
 * under traffic. */
#include <errno.h>

#include "base/log.h"
#include "workloads/table.h"

static int check_rebind_job(const struct workload_job *job)
{
	if (!job->work && job->rounds && job->streams >= 1 && job->streams <= 64 && job->tool == JOB_ENGINE)
		return 0;
	log_error("net-rebind: wants rounds >= 1, 1 to 64 streams of our engine, and no fixed work");
	return -EINVAL;
}

const struct workload workload_net_rebind = {
	.name = "net-rebind",
	.summary = "the guest's driver leaves and returns under verified traffic",
	.guests = GUEST_LINUX,
	.flags = WORKLOAD_NET | WORKLOAD_PEER,
	.metrics = "bytes window_ns checked_blocks",
	.check = check_rebind_job,
};
