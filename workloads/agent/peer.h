/* SPDX-License-Identifier: MIT */
/* The peer's side of each network workload. */
#ifndef WORKLOADS_AGENT_PEER_H
#define WORKLOADS_AGENT_PEER_H

#include "base/strbuf.h"
#include "workloads/agent/talk.h"

struct session {
	struct workload_job job;
	int listen_fd, control;
	int tools; /* peer_tools.h */
	union talk_addr from; /* the agent */
	uint64_t cpu_ns, wall_ns;
};

/* Each runs one session to its end; an error closes it and the peer waits for the next. */
int peer_throughput(struct session *s);
int peer_latency(struct session *s);
int peer_pps(struct session *s);
int peer_iperf(struct session *s);

/* Serve guests without TCP (workloads/dgram.h) beside, in a thread. 0 or -errno. */
int peer_dgram_start(uint64_t port);

/* The next data connection: fd and its hello, or -errno. */
int peer_accept_data(struct session *s, struct talk_hello *hello);
/* Start and end of the measured part: CPU time of this process and wall time. */
void peer_clock_start(struct session *s);
void peer_clock_stop(struct session *s);

#endif
