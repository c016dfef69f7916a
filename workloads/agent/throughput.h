/* SPDX-License-Identifier: MIT */
#ifndef WORKLOADS_AGENT_THROUGHPUT_H
#define WORKLOADS_AGENT_THROUGHPUT_H

#include "workloads/agent/stream.h"

/* All streams of one session, on either side. */
struct stream_set {
	struct stream s[2 * STREAM_MAX];
	unsigned n;
	bool stop;
};

/* Connections in each direction, as the agent sees it. */
static inline unsigned streams_tx(const struct workload_job *job)
{
	return job->direction == JOB_RX ? 0 : (unsigned)job->streams;
}

static inline unsigned streams_rx(const struct workload_job *job)
{
	return job->direction == JOB_TX ? 0 : (unsigned)job->streams;
}

/* Add a connected stream; nothing moves yet. */
void set_add(struct stream_set *set, const struct workload_job *job, int fd, bool sender,
	     uint32_t index);
int set_start(struct stream_set *set);
/* Tell senders to stop. */
void set_stop(struct stream_set *set);
/* Wait for all threads; the first error, -EBADMSG when a block was bad. */
int set_join(struct stream_set *set);
void set_close(struct stream_set *set);
/* Sums over the streams of one direction. */
uint64_t set_bytes(const struct stream_set *set, bool sender);
uint64_t set_bad(const struct stream_set *set);
/* Whole blocks that were received and looked at. */
uint64_t set_blocks(const struct stream_set *set);

int iperf_run(struct agent *a);

#endif
