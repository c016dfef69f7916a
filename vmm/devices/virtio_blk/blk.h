/* SPDX-License-Identifier: MIT */
/*
 * virtio-blk (virtio 1.3, 5.2). Each queue has a thread of its own with its own way to the medium;
 * a request lives from virtq_pop to virtq_push on that thread and nowhere else:
 *
 *      blk.c        what the guest sees: features, configuration, knobs
 *      blk_queue.c  a queue's thread: takes requests, gives them back, interrupts
 *      blk_req.c    what one request asks for, and what is answered
 *
 * A reset waits until the host's kernel has let go of the guest's memory.
 */
#ifndef VMM_DEVICES_VIRTIO_BLK_BLK_H
#define VMM_DEVICES_VIRTIO_BLK_BLK_H

#include <linux/virtio_blk.h>
#include "vmm/block/disk.h"
#include "vmm/block/io_thread.h"
#include "vmm/virtio/virtio.h"

#define VBLK_QUEUES_MAX 8
#define VBLK_RANGES_MAX 16		 /* of one discard */
#define VBLK_RANGE_MAX	(2 * GIB)	 /* bytes of one range to discard */
#define VBLK_ZERO_MAX	DISK_LEN_MAX	 /* bytes of one range to zero: they may have to be written */

struct vblk;
struct vblk_queue;

struct vblk_req {
	struct disk_req io; /* first */
	struct vblk_queue *q;
	struct virtq_chain c;
	struct vblk_req *next; /* free, or popped after this one */
	bool ended;	       /* waits for those before it (in order) */
	uint8_t *status;       /* in guest memory */
	uint64_t bytes;	       /* of data */
	/* Data that the device reads and writes: without the header and the status byte. */
	struct iovec *out, *in;
	unsigned n_out, n_in;
	unsigned range, n_ranges; /* of a discard or zeroes: the one that is under way */
	struct iovec iov[];	  /* of c */
};

struct vblk_queue {
	struct vblk *blk;
	unsigned index;
	struct io_thread *thread;
	struct disk_queue *disk;
	struct stats_queue *stats;
	/* The thread's. */
	struct virtq vq;
	bool running;
	bool armed; /* the driver was asked to kick */
	uint64_t seen_kicks;
	char *reqs; /* max_size of them */
	size_t req_size;
	struct vblk_req *free;
	struct vblk_req *oldest, **newest; /* popped and not pushed, kept in order */
};

struct vblk {
	struct virtio_dev vd; /* first: the transport finds it through pci->priv */
	struct disk *disk;
	struct virtio_blk_config config;
	bool through; /* atomic: writes are durable before they are done */
	unsigned n_queues;
	struct vblk_queue q[VBLK_QUEUES_MAX];
	char q_name[VBLK_QUEUES_MAX][8];
};

/* blk_queue.c. 0 or -errno (logged). */
int vblk_queue_open(struct vblk_queue *q, uint64_t poll_ns);
void vblk_queue_close(struct vblk_queue *q);
void vblk_queue_start(struct vblk_queue *q);
void vblk_queue_stop(struct vblk_queue *q);
/* The request is over: its status goes to the guest and its chain back. */
void vblk_req_end(struct vblk_req *req, uint8_t status);

/*
 * blk_req.c. Begin what a chain asks for; vblk_req_end may come from within. -EBADMSG: it has no
 * room for a header and a status.
 */
int vblk_req_begin(struct vblk_req *req);

#endif
