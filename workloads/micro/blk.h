/* SPDX-License-Identifier: MIT */
/* A disk as the jobs see it: requests in numbered slots, polled, no interrupts. */
#ifndef WORKLOADS_MICRO_BLK_H
#define WORKLOADS_MICRO_BLK_H

#include "workloads/micro/pci.h"

#define BLK_SLOTS 128

enum blk_op { BLK_READ, BLK_WRITE, BLK_FLUSH, BLK_DISCARD };

struct blk;
typedef void (*blk_done_fn)(void *arg, unsigned slot, bool ok);

struct blk_ops {
	const char *name;
	/* false: there is no such disk; report_fail when there is one and it fails */
	bool (*init)(struct blk *b);
	/* Begin it on a free slot; buf lies in one piece. */
	void (*start)(struct blk *b, unsigned slot, enum blk_op op, uint64_t sector, unsigned sectors,
		      void *buf);
	void (*kick)(struct blk *b); /* what was begun goes to the disk */
	/* All that has ended; how many. */
	unsigned (*poll)(struct blk *b, blk_done_fn fn, void *arg);
};

struct blk {
	const struct blk_ops *ops;
	struct pci_dev pci;
	uint64_t sectors;     /* of 512 bytes */
	unsigned slots;	      /* that it can have in flight, at most BLK_SLOTS */
	unsigned max_sectors; /* of one request */
	bool flush, discard;  /* it knows these */
	uint64_t kicks;	      /* doorbells and commands */
	void *priv;
};

extern const struct blk_ops virtio_blk_ops, nvme_ops;

/* The first disk there is. 0, or -1 after report_fail. */
int blk_open(struct blk *b);

#endif
