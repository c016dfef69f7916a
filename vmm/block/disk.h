/* SPDX-License-Identifier: MIT */
/*
 * The medium behind a disk, as the devices see it: a raw file or a block device with a size, the
 * smallest unit of I/O, a cache that may lose what was not flushed, and errors.
 *
 * The device's thread opens a queue of its own and hands requests to it. A request is checked once,
 * here: what lies outside of the medium, or is not in whole blocks, never reaches the host's
 * kernel. Results come back in disk_reap, on the same thread and never from within disk_submit:
 *
 *      disk_submit ... disk_push ... disk_reap -> request's done(0 or -errno)
 *
 *      -ERANGE      outside of the medium
 *      -EINVAL      not in whole blocks, or longer than DISK_LEN_MAX
 *      -EROFS       a write to a read-only medium
 *      -EOPNOTSUPP  the medium cannot discard
 *      -ENODEV      the medium has shrunk or gone
 *      -ENOSPC, -EIO and others: what the host's kernel says
 *
 * Memory of a request belongs to it until done: a device that is reset calls disk_drain first.
 */
#ifndef VMM_BLOCK_DISK_H
#define VMM_BLOCK_DISK_H

#include <sys/uio.h>
#include "vmm/core/dev_opts.h"

#define DISK_SERIAL  20
#define DISK_LEN_MAX (64 * MIB) /* bytes of one read or write */

struct disk;
struct disk_queue;

struct disk_info {
	uint64_t size;	      /* bytes; whole blocks */
	uint32_t block;	      /* bytes of the smallest read or write: a power of two, 512 to 4096 */
	uint32_t physical;    /* bytes that the medium writes at once */
	uint32_t discard;     /* bytes of the smallest discard that has an effect; 0: it cannot discard */
	bool read_only;
	bool write_back;      /* what is not flushed may be lost: cache=writeback */
	char serial[DISK_SERIAL + 1];
};

enum disk_op { DISK_READ, DISK_WRITE, DISK_FLUSH, DISK_DISCARD, DISK_ZERO };

struct disk_req {
	enum disk_op op;
	bool durable;	  /* DISK_WRITE, DISK_ZERO: on the medium before done */
	bool may_unmap;	  /* DISK_ZERO: need not keep the space */
	unsigned n_iov;	  /* DISK_READ, DISK_WRITE: 1 to IOV_MAX */
	struct iovec *iov; /* together len bytes; the queue may change it */
	uint64_t at, len; /* bytes */
	void (*done)(struct disk_req *req, int err);
	/* The rest is the queue's. */
	struct disk_req *next;
	int result; /* of the host's kernel: bytes or -errno */
};

/* Of a command line's text: "PATH,..." is "file=PATH,...". To be freed. */
char *disk_opts_text(const char *text);
/*
 * Options: file=PATH, readonly=, direct=, cache=writeback|writethrough, engine=io_uring|sync,
 * serial=. The medium is locked against other writers until disk_close. 0, or -errno after a
 * message.
 */
int disk_open(struct disk **out, const struct dev_opts *opts, const char *dev_name);
void disk_close(struct disk *d);
const struct disk_info *disk_info(const struct disk *d);

/*
 * depth is the most requests that it can have in flight. One thread uses it, which need not be the
 * one that opens or closes it. 0 or -errno (logged).
 */
int disk_queue_open(struct disk_queue **out, struct disk *d, unsigned depth);
/* Nothing may be in flight. */
void disk_queue_close(struct disk_queue *q);
/*
 * An eventfd that a completion makes readable after disk_arm, once; nobody needs to read it. -1:
 * all ends in disk_push. disk_arm is called before the thread sleeps; true: something has ended
 * already.
 */
int disk_queue_fd(const struct disk_queue *q);
bool disk_arm(struct disk_queue *q);

void disk_submit(struct disk_queue *q, struct disk_req *req);
/* What was submitted goes to the host's kernel: one system call for all of it. */
void disk_push(struct disk_queue *q);
/* Call done of what has ended; how many. No system call when nothing has. */
unsigned disk_reap(struct disk_queue *q);
unsigned disk_in_flight(const struct disk_queue *q);
/* Wait for all that was submitted, calling done. */
void disk_drain(struct disk_queue *q);
/*
 * All of a small read or write now, on any thread, by one system call that waits, without a queue. False:
 * not, or not all of it, or it is not for this; a queue will do it, and say what is wrong.
 */
bool disk_try(const struct disk *d, const struct disk_req *req);
/* Reads, writes, flushes, ... that the host's kernel was asked for. */
uint64_t disk_host_requests(const struct disk_queue *q);

#endif
