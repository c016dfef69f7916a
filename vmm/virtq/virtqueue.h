/* SPDX-License-Identifier: MIT */
/*
 * The device's side of a virtqueue, split or packed (virtio 1.3, 2.7 and 2.8). Used by the in-VMM devices
 * and by the vhost-user backend process.
 *
 *      virtq_pop ... virtq_push ... virtq_publish, then interrupt if virtq_should_call
 *
 * The driver is not trusted. Each descriptor is copied from shared memory exactly once and only the copy is
 * checked and used; a chain has at most queue-size descriptors; a head may not come back before it was
 * pushed. Whatever breaks a rule makes virtq_pop return -EBADMSG, and from then on the queue stays broken
 * until it is started again.
 *
 * One thread at a time uses a queue.
 */
#ifndef VMM_VIRTQ_VIRTQUEUE_H
#define VMM_VIRTQ_VIRTQUEUE_H

#include <sys/uio.h>
#include "vmm/core/gmem.h"

#define VIRTQ_SIZE_MAX 1024 /* also the longest iovec that readv and writev take */

/*
 * Where a ring lies; driver is the avail ring (packed: driver event), device the used ring (packed: device
 * event).
 */
struct virtq_layout {
	uint16_t size;
	gpa_t desc, driver, device;
};

/* The same as host pointers. */
struct virtq_map {
	uint16_t size;
	void *desc, *driver, *device;
};

/* One request: iov[0..n_out) is read by the device, the n_in after it are written. */
struct virtq_chain {
	uint16_t id;     /* split: head; packed: buffer ID */
	uint16_t n_desc; /* ring entries taken (packed) */
	uint16_t n_out, n_in;
	uint32_t out_len, in_len; /* bytes */
	struct iovec *iov;        /* the array given to virtq_pop */
};

/*
 * How far a packed queue has been used, in memory that outlives the process: the ring alone does not tell (a
 * used chain leaves its other entries as they were), and what is pushed before it is published has
 * overwritten its descriptors. Laid out as in vhost-user's inflight region. old_used is the last publication,
 * used the last push; if they differ, the entry at old_used tells whether the batch was published, and
 * saved[] how the entries in between looked. The word is always written whole, and saved[] before it.
 */
struct virtq_saved {
	uint8_t inflight, pad;
	uint16_t next, last;
	uint16_t num; /* entries of the chain that begins here */
	uint64_t counter;
	uint16_t id, flags;
	uint32_t len;
	uint64_t addr;
};

struct virtq_progress {
	union {
		struct {
			uint16_t used, old_used;
			uint8_t used_wrap, old_used_wrap;
		};
		uint64_t word;
	};
	uint64_t pad;
	struct virtq_saved saved[]; /* one for each entry of the ring */
};

struct virtq {
	const struct gmem *gm;
	struct virtq_map map;
	struct virtq_progress *progress; /* NULL: not kept */
	uint16_t track_idx;              /* used_idx and used_wrap of the last publication */
	bool track_wrap;
	bool packed, event_idx, indirect, in_order;
	bool broken;
	bool avail_wrap, used_wrap; /* packed */
	uint16_t avail_idx; /* next entry to pop; split: free-running */
	uint16_t seen_idx;  /* split: the driver's index as last read */
	uint16_t used_idx;  /* next entry to push; split: free-running */
	uint16_t held;      /* packed: ring entries popped whose used entry is not yet written */
	uint16_t in_flight; /* chains popped and not pushed */
	uint16_t unseen;    /* used entries since the last virtq_should_call */
	/* Pushed and not yet published. */
	uint16_t batch_n;
	bool batch_pending; /* packed, with the entry whose flags are written last */
	uint16_t batch_start, batch_flags;
	/* In order: buffers that one used entry will stand for. */
	uint16_t order_n, order_desc, order_id;
	bool busy[VIRTQ_SIZE_MAX]; /* split: this head is in flight */
};

/*
 * Start from the given base (0 for a new ring; else what virtq_base returned). features are the negotiated
 * ones. 0, -EINVAL (size or alignment) or -EFAULT (not all in RAM); nothing logged. After an error the
 * queue is a broken one, so that a driver that kicks it all the same gets nowhere.
 */
/* How long the driver's and the device's part are, with the event fields of a split ring (2.7, 2.8.10). */
uint64_t virtq_driver_bytes(bool packed, uint32_t size);
uint64_t virtq_device_bytes(bool packed, uint32_t size);
int virtq_start(struct virtq *vq, const struct gmem *gm, const struct virtq_layout *l,
		uint64_t features, uint32_t base);
/*
 * What vhost calls the vring base. Split: index of the next chain; packed: avail index and wrap bit in bits
 * 0..15, used in 16..31. Give chains in flight back (virtq_unpop) before.
 */
uint32_t virtq_base(const struct virtq *vq);
uint32_t virtq_base_new(uint64_t features);

/* Keep progress (may be NULL) for this packed queue from now on; nothing may be pushed and unpublished. */
void virtq_track(struct virtq *vq, struct virtq_progress *progress);
/*
 * The base at which a packed queue goes on whose process died; an unpublished batch is taken back. Holds if
 * chains were finished in the order they were popped. 0, -EINVAL or -EFAULT.
 */
int virtq_resume(const struct gmem *gm, const struct virtq_layout *l,
		 const struct virtq_progress *progress, uint32_t *base);

/* 1 and *c filled, 0 when there is none, -EBADMSG (*c is lost in both cases). iov has room for max_iov
 * entries; a longer chain is a bad one. */
int virtq_pop(struct virtq *vq, struct virtq_chain *c, struct iovec *iov, unsigned max_iov);
/* Give the last popped chain back, as if never popped: newest first. */
void virtq_unpop(struct virtq *vq, const struct virtq_chain *c);
/* Done with a chain: written bytes go into used.len. The driver sees nothing before virtq_publish. */
void virtq_push(struct virtq *vq, const struct virtq_chain *c, uint32_t written);
void virtq_publish(struct virtq *vq);
/* After virtq_publish: does the driver want an interrupt for what was published since the last call? */
bool virtq_should_call(struct virtq *vq);
/* Has the driver taken all that was published, and wants to be told of the next? */
bool virtq_driver_waits(const struct virtq *vq);
/* Ask the driver for no kicks; a hint. */
void virtq_kicks_off(struct virtq *vq);
/* Ask for a kick at the next chain. True when a chain has come meanwhile: pop it, no kick will tell. */
bool virtq_kicks_on(struct virtq *vq);

#endif
