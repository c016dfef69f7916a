// SPDX-License-Identifier: MIT
/* net-throughput: TCP streams, every byte of them checked. */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "workloads/table.h"

#define MAX_STREAMS 64
#define MAX_MESSAGE MIB

static int check_throughput_job(const struct workload_job *job)
{
	const char *wrong = NULL;

	if (job->streams < 1 || job->streams > MAX_STREAMS)
		wrong = "streams must be 1 to 64";
	else if (job->msg_size > MAX_MESSAGE)
		wrong = "msg_size is at most 1M";
	else if (job->tool == JOB_IPERF3 && job->work)
		wrong = "tool=iperf3 runs for a duration, not for fixed work";
	else if (job->tool == JOB_FIO)
		wrong = "fio is for disks; use tool=engine or iperf3";
	else if (job->rate)
		wrong = "rate belongs to net-latency and net-pps";
	if (wrong)
		log_error("net-throughput: %s", wrong);
	return wrong ? -EINVAL : 0;
}

const struct workload workload_net_throughput = {
	.name = "net-throughput",
	.summary = "TCP streams between guest and peer, payload verified",
	.guests = GUEST_LINUX | GUEST_MICRO | GUEST_NONE,
	.flags = WORKLOAD_NET | WORKLOAD_PEER,
	.duration_ns = 2 * NSEC_PER_SEC,
	.metrics =
		"throughput_bps exits_per_s exits_per_packet kicks_per_packet guest_kicks_per_packet "
		"interrupts_per_packet cpu_ns_per_packet latency_ns",
	.check = check_throughput_job,
};
