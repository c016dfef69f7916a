/* SPDX-License-Identifier: MIT */
/*
 * virtio-blk (virtio 1.3, 5.2). Each queue has a thread of its own with its own way to the medium;
 * a request lives from virtq_pop to virtq_push on that thread and nowhere else:
 *
 *      blk_config.c  what a driver sees of the medium: features, configuration, knobs
 *      blk_queue.c   a queue's thread: takes requests, gives them back, interrupts
 *      blk_req.c     what one request asks for, and what is answered
 *
 * These are a struct vblk, and belong to one of
 *
 *      blk.c         the PCI device in the VMM
 *      blk_back.c    the back-end of vhost-user, in a program of its own
 *
 * A reset waits until the host's kernel has let go of the guest's memory.
 */
#ifndef VMM_DEVICES_VIRTIO_BLK_BLK_H
#define VMM_DEVICES_VIRTIO_BLK_BLK_H

#include <linux/virtio_blk.h>
#include "vmm/block/disk.h"
#include "vmm/block/io_thread.h"
#include "vmm/virtio/virtio.h"
#include "vmm/virtq/served_ring.h"

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
	bool in_turn; /* requests are given back in the order in which they were taken */
	bool armed;   /* the driver was asked to kick */
	int kick_fd;  /* watched while the queue runs */
	uint64_t seen_kicks;
	char *reqs; /* ring_max of them */
	size_t req_size;
	struct vblk_req *free;
	struct vblk_req *oldest, **newest; /* popped and not pushed, kept in order */
};

/* What its queues ask of whoever has them; on their threads. */
struct vblk_ops {
	void (*call)(struct vblk *b, unsigned queue);   /* an interrupt */
	void (*broken)(struct vblk *b, unsigned queue); /* the driver broke the rules; it has stopped */
};

struct vblk {
	/* Set before vblk_open. */
	const struct vblk_ops *ops;
	const char *name; /* for messages and thread names */
	struct threads *threads;
	unsigned ring_max; /* entries of the largest ring; 0: as size= has it */
	bool keep_order;   /* give requests back in turn, so that a successor knows which have ended */
	/* Set by it. */
	struct disk *disk;
	struct virtio_blk_config config;
	uint64_t offered;
	unsigned n_queues;
	uint64_t ring_size;
	struct vblk_queue q[VBLK_QUEUES_MAX];
	/* Since vblk_begin. */
	const struct gmem *gm;
	uint64_t features;
	bool through; /* atomic: writes are durable before they are done */
};

/*
 * blk_config.c. Options: those of a disk, queues=, size=, poll_us=, and the features to take away.
 * ring_size: where there is no size=. 0 or -errno (logged); vblk_close in both cases.
 */
int vblk_open(struct vblk *b, const struct dev_opts *opts, uint64_t ring_size);
void vblk_close(struct vblk *b);
/* Knobs that take features away when they are off, from *features. 0 or -EINVAL (logged). */
int vblk_switch_off(const struct dev_opts *opts, uint64_t *features);
#define VBLK_CONFIG_LEN offsetof(struct virtio_blk_config, max_secure_erase_sectors)
/* A driver has accepted these features; before queues are started. */
void vblk_begin(struct vblk *b, const struct gmem *gm, uint64_t features);
/* It is gone: the configuration is as at first. */
void vblk_reset(struct vblk *b);
/* The one field that a driver may write: its cache. 0, or -EINVAL and nothing has changed. */
int vblk_config_write(struct vblk *b, unsigned off, unsigned len, uint64_t val);

/* blk_queue.c. 0 or -errno (logged). */
int vblk_queue_open(struct vblk_queue *q, uint64_t poll_ns);
void vblk_queue_close(struct vblk_queue *q);
void vblk_queue_start(struct vblk_queue *q, const struct served_ring *ring);
/* What is under way is waited for, and nothing of it given back. */
void vblk_queue_stop(struct vblk_queue *q);
/* What is under way is waited for and given back; the base. */
uint32_t vblk_queue_finish(struct vblk_queue *q);
/* The request is over: its status goes to the guest and its chain back. */
void vblk_req_end(struct vblk_req *req, uint8_t status);

/*
 * blk_req.c. Begin what a chain asks for; vblk_req_end may come from within. -EBADMSG: it has no
 * room for a header and a status.
 */
int vblk_req_begin(struct vblk_req *req);

#endif
