/* SPDX-License-Identifier: MIT */
/*
 * What the micro guest and the peer say to one another: UDP datagrams over IPv4 on the job's port +
 * DGRAM_PORT_OFFSET, because a guest of a few KiB has no TCP. Every datagram begins with struct dgram;
 * numbers are little-endian.
 *
 *      guest: START (direction, size, ns)       peer: OK       sent again until answered; nr tells sessions
 *                                               apart
 *      one side: DATA, nr counting up from 0, for ns; the last 8 bytes of each are ~nr, and what lies
 *      between is DGRAM_FILL, which verify=full compares
 *      guest: STOP                              peer: RESULT (its sent, received, bytes, bad)
 */
#ifndef WORKLOADS_DGRAM_H
#define WORKLOADS_DGRAM_H

#include <stdint.h>

#define DGRAM_PORT_OFFSET 2
#define DGRAM_MAGIC       0x444c5845u /* "EXLD" */
#define DGRAM_FILL        0x5a
#define DGRAM_MAX         1472 /* a whole Ethernet frame of 1500 bytes */

enum dgram_op { DGRAM_START = 1, DGRAM_OK, DGRAM_DATA, DGRAM_STOP, DGRAM_RESULT };

struct dgram {
	uint32_t magic, op;
	uint64_t nr; /* DATA: number; else: the session, chosen by the guest */
};

struct dgram_start {
	struct dgram head;
	uint32_t peer_sends; /* 1: the peer sends */
	uint32_t size;       /* of a DATA datagram */
	uint64_t ns;
	uint32_t full, pad; /* 1: compare every byte */
};

struct dgram_result {
	struct dgram head;
	uint64_t sent, received, bytes, bad;
};

#define DGRAM_MIN (sizeof(struct dgram) + 8)

#endif
