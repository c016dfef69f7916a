/* SPDX-License-Identifier: MIT */
/* Shared by the split and the packed half of the virtqueue. */
#ifndef VMM_VIRTQ_VIRTQ_PRIV_H
#define VMM_VIRTQ_VIRTQ_PRIV_H

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include "vmm/virtq/virtqueue.h"

/* The fuzzer's driver, which changes the rings between any two reads of ours; nowhere else. */
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
__attribute__((weak)) void virtq_race(void);
#define RACE() (virtq_race ? virtq_race() : (void)0)
#else
#define RACE() (void)0
#endif

/* Shared with a driver that runs at the same time: one access each, not torn, not repeated. */
#define shared_load(p)              (RACE(), __atomic_load_n(p, __ATOMIC_RELAXED))
#define shared_load_acquire(p)      (RACE(), __atomic_load_n(p, __ATOMIC_ACQUIRE))
#define shared_store(p, v)          __atomic_store_n(p, v, __ATOMIC_RELAXED)
#define shared_store_release(p, v)  __atomic_store_n(p, v, __ATOMIC_RELEASE)

/*
 * The one copy of a descriptor out of shared memory. The empty asm makes the copy real: without it the
 * compiler may read the original again when a field is used (the double fetch).
 */
static inline void virtq_fetch(void *copy, const void *shared)
{
	RACE();
	memcpy(copy, shared, 16);
	asm volatile("" : "+m"(*(char(*)[16])copy));
}

static inline int virtq_bad(struct virtq *vq)
{
	vq->broken = true;
	return -EBADMSG;
}

/* Check one descriptor's copy and append it to the chain: 0 or -EBADMSG. */
int virtq_chain_add(const struct virtq *vq, struct virtq_chain *c, unsigned max_iov, uint64_t addr,
		    uint32_t len, bool writable);
/*
 * Where an indirect table lies: NULL if it is empty, longer than the queue, not whole descriptors or not
 * RAM.
 */
const char *virtq_indirect(const struct virtq *vq, uint64_t addr, uint32_t len);

int virtq_split_pop(struct virtq *vq, struct virtq_chain *c, unsigned max_iov);
void virtq_split_used(struct virtq *vq, uint16_t id, uint32_t len, unsigned skip);
void virtq_split_publish(struct virtq *vq);
/* Does the driver want to be told when the used index goes from one to the other? */
bool virtq_split_wants(const struct virtq *vq, uint16_t from, uint16_t to);
void virtq_split_kicks(struct virtq *vq, bool on);
bool virtq_split_more(const struct virtq *vq);

int virtq_packed_pop(struct virtq *vq, struct virtq_chain *c, unsigned max_iov);
void virtq_packed_used(struct virtq *vq, uint16_t id, uint32_t len, bool wrote, unsigned skip);
void virtq_packed_publish(struct virtq *vq);
void virtq_packed_track(struct virtq *vq);
bool virtq_packed_wants(const struct virtq *vq, uint16_t from, uint16_t to);
void virtq_packed_kicks(struct virtq *vq, bool on);
bool virtq_packed_more(const struct virtq *vq);
void virtq_packed_rewind(struct virtq *vq, unsigned n_desc);

#endif
