/* SPDX-License-Identifier: MIT */
/*
 * Small UDP datagrams in batches (sendmmsg, recvmmsg), numbered, so that loss is counted and not guessed; the
 * same code on both sides. A datagram is { trial, ~trial ^ seed, number, then a pattern of the number };
 * UDP's checksum may be offloaded to the device, so the content is compared.
 */
#ifndef WORKLOADS_AGENT_UDP_H
#define WORKLOADS_AGENT_UDP_H

#include <pthread.h>
#include "workloads/agent/talk.h"

#define UDP_BATCH 64
#define UDP_MIN	  18 /* fills a minimum Ethernet frame: 60 - 14 - 20 - 8 */
#define UDP_MAX	  1472

struct udp_counts {
	uint64_t received, bad, reordered;
};

struct udp_flow {
	int fd;
	size_t size;
	uint32_t seed;
	pthread_t thread;
	bool started, stop;
	uint32_t trial; /* what we send as; changed while the receiver is quiet or under the lock */
	pthread_mutex_t lock;	  /* of what follows: taken once per batch */
	struct udp_counts counts; /* of the current trial */
	uint64_t expected;
};

/* Receiving begins. 0 or -errno. */
int udp_start(struct udp_flow *f, int fd, const struct workload_job *job);
void udp_stop(struct udp_flow *f);
/* Datagrams of other trials are ignored from now on. */
void udp_begin_trial(struct udp_flow *f, uint32_t trial);
/* Send at rate (0: as fast as it goes) for ns; how many were sent, or -errno. */
int64_t udp_send(struct udp_flow *f, uint64_t rate, uint64_t ns);
/* Wait until nothing arrives any more, then what of this trial did. */
struct udp_counts udp_settle(struct udp_flow *f);
/* 18 when the job does not say; 0 when it is out of range. */
size_t udp_size(const struct workload_job *job);

#endif
