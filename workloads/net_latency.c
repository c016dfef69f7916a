// SPDX-License-Identifier: MIT
/* net-latency: one request and one answer at a time over TCP. */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "workloads/table.h"

static int check_latency_job(const struct workload_job *job)
{
	const char *wrong = NULL;

	if (job->streams != 1)
		wrong = "one transaction is under way at a time; leave streams at 1";
	else if (job->msg_size > MIB)
		wrong = "msg_size is at most 1M";
	else if (job->rate > NSEC_PER_SEC)
		wrong = "rate is transactions per second, at most 1000000000";
	else if (job->tool != JOB_ENGINE)
		wrong = "iperf3 and fio measure no latency of it; use tool=engine";
	if (wrong)
		log_error("net-latency: %s", wrong);
	return wrong ? -EINVAL : 0;
}

const struct workload workload_net_latency = {
	.name = "net-latency",
	.summary = "request and response, every transaction from its intended start",
	.guests = GUEST_LINUX | GUEST_NONE,
	.flags = WORKLOAD_NET | WORKLOAD_PEER,
	.duration_ns = 2 * NSEC_PER_SEC,
	.metrics = "latency_ns latency_p99_ns transactions_per_s exits_per_op exits_per_packet cpu_pct",
	.check = check_latency_job,
};
