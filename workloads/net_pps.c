// SPDX-License-Identifier: MIT
/* net-pps: small UDP datagrams at a rate, or the highest rate without loss. */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "workloads/table.h"

static int check_pps_job(const struct workload_job *job)
{
	const char *wrong = NULL;

	if (job->msg_size && (job->msg_size < 18 || job->msg_size > 1472))
		wrong = "msg_size is 18 to 1472 bytes";
	else if (job->work)
		wrong = "runs for a duration, not for fixed work";
	else if (job->tool != JOB_ENGINE)
		wrong = "use tool=engine";
	else if (job->loss_ppm >= 1000000)
		wrong = "loss_ppm is below 1000000";
	if (wrong)
		log_error("net-pps: %s", wrong);
	return wrong ? -EINVAL : 0;
}

const struct workload workload_net_pps = {
	.name = "net-pps",
	.summary = "small UDP datagrams: highest rate without loss",
	.guests = GUEST_LINUX | GUEST_NONE,
	.flags = WORKLOAD_NET | WORKLOAD_PEER,
	.duration_ns = 2 * NSEC_PER_SEC,
	.metrics =
		"delivered_per_s lossfree_per_s loss_pct exits_per_packet kicks_per_packet interrupts_per_packet",
	.check = check_pps_job,
};
