/* SPDX-License-Identifier: MIT */
/*
 * The load of the block workloads, the same in both guests: which operation comes next and where, what
 * is written, and whether what is read is what was written last. A guest brings the disk (struct
 * blk_ops), a clock and the memory. Freestanding: the micro guest compiles it too.
 *
 *      blk_load_init, the caller's buffers, blk_load_prepare, blk_load_run for the warm-up,
 *      measuring = true, blk_load_run, measuring = false
 *
 * Nothing is in flight between two calls, but after blk_load_begin. Closed loop, or with rate= an open one
 * whose latencies count from when each operation was due.
 */
#ifndef WORKLOADS_BLK_LOAD_H
#define WORKLOADS_BLK_LOAD_H

#include "workloads/blk_stamp.h"
#include "workloads/job.h"

#define BLK_SLOTS  128
#define BLK_UNSURE UINT64_MAX

enum blk_op { BLK_READ, BLK_WRITE, BLK_FLUSH, BLK_DISCARD };

struct blk;
typedef void (*blk_done_fn)(void *arg, unsigned slot, bool ok);

struct blk_ops {
	const char *name;
	/* Begin it on a free slot; buf lies in one piece. */
	void (*start)(struct blk *b, unsigned slot, enum blk_op op, uint64_t sector, unsigned sectors,
		      void *buf);
	/* What was begun goes to the disk, and fn is called for all that has ended. May wait until then. */
	void (*turn)(struct blk *b, uint64_t until, blk_done_fn fn, void *arg);
};

/* A disk as a load sees it: requests in numbered slots. */
struct blk {
	const struct blk_ops *ops;
	uint64_t sectors;     /* of 512 bytes */
	unsigned slots;	      /* that it can have in flight, at most BLK_SLOTS */
	unsigned max_sectors; /* of one request */
	bool flush, discard;  /* it knows these */
	uint64_t kicks;	      /* doorbells and commands, where the driver is ours */
	void *priv;
};

/* How the workloads differ. */
struct blk_shape {
	const char *workload;
	unsigned bytes, depth; /* defaults */
	bool sequential, sync, discard;
};

struct blk_slot {
	uint64_t sector, begun; /* when it began, or was due */
	enum blk_op op;
	bool in_flight;
	uint8_t *buf; /* the caller's: sectors * BLK_SECTOR bytes */
};

struct blk_load {
	struct blk *blk;
	const struct blk_shape *shape;
	unsigned sectors, depth, write_pct;
	uint64_t places; /* operations that fit side by side into what is used of the disk */
	bool verify, corrupt, flush_each;
	uint64_t *written; /* the caller's, with verify: a word a place, its last write, or BLK_UNSURE */
	uint64_t *durable; /* the caller's, may be NULL: a word a place, its last write that was flushed */
	/* The clock: ticks, and how many a second has; every latency in the window. */
	uint64_t (*now)(void);
	uint64_t second;
	void (*sample)(void *arg, uint64_t ticks);
	void *arg;
	uint64_t seq, position, random, period, due, to_begin;
	struct blk_slot slot[BLK_SLOTS];
	uint16_t free[BLK_SLOTS];
	unsigned n_free;
	/* Of the window: operations, and the requests that they took. */
	bool measuring;
	uint64_t ops, ios, flushes;
	/* From blk_load_begin to blk_load_end what fails is no fault: it was done, or was not. */
	bool may_fail;
	uint64_t failed, compared; /* requests, and places read again */
	const char *wrong; /* why the sample is void, and at which sector */
	uint64_t wrong_at;
};

/* NULL: no workload of this kind. */
const struct blk_shape *blk_shape_find(const char *workload);
/* Zeroed but for blk and the clock: NULL, or why the job cannot be done with this disk. */
const char *blk_load_init(struct blk_load *l, const struct workload_job *job);
/* Every place that will be read is written; and flushed, where the load flushes. */
void blk_load_prepare(struct blk_load *l);
/* Until so many operations have been done, or (0) for so many ticks. */
void blk_load_run(struct blk_load *l, uint64_t ticks, uint64_t ops);
/* Before the disk goes: as much as fits is handed to it. Then, when it has gone: wait for all of that. */
void blk_load_begin(struct blk_load *l);
void blk_load_end(struct blk_load *l);
/* Every place is read and compared; one of which nobody can say what it holds is written again. */
void blk_load_verify(struct blk_load *l);

#endif
