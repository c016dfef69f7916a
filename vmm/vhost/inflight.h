/* SPDX-License-Identifier: MIT */
/*
 * vhost-user's inflight region in the back-end: memory that the front-end keeps and gives to the next
 * back-end, so that a packed ring goes on where a killed one had come to. Chains are finished in the order
 * they were popped, so which are in flight need not be kept.
 *
 *      per queue, 64-byte aligned:  0 features  8 version  10 entries  12 free heads  16 struct
 *                                   virtq_progress
 */
#ifndef VMM_VHOST_INFLIGHT_H
#define VMM_VHOST_INFLIGHT_H

#include "vmm/vhost/user_msg.h"
#include "vmm/virtq/virtqueue.h"

struct inflight {
	uint8_t *map; /* NULL: none */
	uint64_t map_len, offset;
	unsigned queues, entries;
};

/* A fresh region for d's queues; d's sizes are filled in. An fd or -errno. */
int inflight_create(struct vu_inflight *d);
/* Map what the front-end gave; takes fd over. 0, -EINVAL, or mmap's errno. Replaces what was mapped. */
int inflight_map(struct inflight *in, const struct vu_inflight *d, int fd);
void inflight_unmap(struct inflight *in);
/* Of a queue with so many entries, or NULL when the region does not cover it. */
struct virtq_progress *inflight_progress(const struct inflight *in, unsigned queue,
					 unsigned entries);
/* Has a back-end written there before? */
bool inflight_used(const struct inflight *in, unsigned queue);
/* From now on it says where the queue is; base as in virtq_base. */
void inflight_begin(const struct inflight *in, unsigned queue, uint32_t base);

#endif
