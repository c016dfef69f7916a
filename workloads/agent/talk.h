/* SPDX-License-Identifier: MIT */
/*
 * What agent and peer say to one another. The agent always connects, the peer always listens (TCP
 * port of the job; UDP on the same number). Every connection begins with struct talk_hello. The
 * control connection carries lines:
 *
 *      agent: the job                        peer: ok | err TEXT
 *      (the agent opens its data connections)
 *      agent: go                             peer: starts
 *      agent: stop                           peer: result KEY=VALUE ...
 *      net-pps: trial ID RATE NS DIR, any number of times; answered by ok, and after its end by
 * result
 */
#ifndef WORKLOADS_AGENT_TALK_H
#define WORKLOADS_AGENT_TALK_H

#include <netinet/in.h>
#include "workloads/agent/agent.h"

#define TALK_MAGIC   0x45584c31u /* "EXL1" */
#define TALK_STALL_S 30		 /* a transfer that stands still for so long has failed */

enum talk_kind { TALK_CONTROL, TALK_DATA };

struct talk_hello {
	uint32_t magic;
	uint16_t kind;	 /* enum talk_kind */
	uint16_t sender; /* data: 1 when the peer sends */
	uint32_t index;	 /* data: number of the stream */
	uint32_t pad;
};

union talk_addr {
	struct sockaddr sa;
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
};

/* Address text, IPv4 or IPv6. 0 or -EINVAL. */
int talk_addr(union talk_addr *out, const char *ip, uint64_t port);
socklen_t talk_addr_len(const union talk_addr *a);

/* Connect and say hello, trying again until the peer is there (control) for at most timeout_ns. fd
 * or -errno. */
int talk_connect(const struct workload_job *job, const struct talk_hello *hello,
		 uint64_t timeout_ns);
/* Stall time-outs, no delay. */
void talk_tune(int fd);
/* Big socket buffers where we are allowed to. */
void talk_udp_buffers(int fd);

/* errno of a call on such a socket: 0 after a signal, -ETIMEDOUT after a stall. */
int talk_errno(void);
int talk_send_all(int fd, const void *data, size_t len);
int talk_recv_all(int fd, void *data, size_t len);
int talk_say(int fd, const char *fmt, ...) PRINTF(2, 3);
/* One line without its newline. Length, or -errno (-EPIPE: closed). */
int talk_line(int fd, char *buf, size_t size);
/* Value of " key=" in a line of results, 0 when absent. */
uint64_t talk_value(const char *line, const char *key);

/* Agent: open the control connection and hand over the job. fd, or -errno after agent_fail. */
int talk_control(struct agent *a);
/* Agent: read a line that must begin with word; 0 or -errno after agent_fail. */
int talk_expect(int fd, const char *word, char *buf, size_t size);

#endif
