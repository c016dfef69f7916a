/* SPDX-License-Identifier: MIT */
/*
 * Between the files of vmm/block: a medium, a thread's queue to it, and the ways to the host's
 * kernel.
 */
#ifndef VMM_BLOCK_DISK_PRIV_H
#define VMM_BLOCK_DISK_PRIV_H

#include <sys/types.h>
#include "vmm/block/disk.h"

#define DISK_BOUNCE ((size_t)MIB)

struct disk {
	const char *dev_name; /* for messages */
	char *path;
	int fd;
	struct disk_info info;
	bool direct;
	bool is_device;
	uint32_t mem_align; /* of addresses and lengths of a request's memory; 1 without O_DIRECT */
	bool no_zero;	    /* atomic: the file system cannot zero a range; we write zeroes */
	bool gone;	    /* atomic: shrunk or failed to tell its size; nothing works any more */
	const struct disk_engine *engine;
};

/* A list in the order in which things were added. */
struct disk_list {
	struct disk_req *first, **end;
};

struct disk_queue {
	struct disk *disk;
	unsigned depth, in_flight; /* submitted and not done */
	uint64_t host_requests;
	struct disk_list ended; /* with their results, to be reaped */
	void *bounce;		/* DISK_BOUNCE bytes that direct I/O takes, whatever the medium */
	void *engine_data;
};

/*
 * How requests reach the host's kernel. start() has been given a checked one with aligned memory.
 */
struct disk_engine {
	const char *name;
	int (*open)(struct disk_queue *q);
	void (*close)(struct disk_queue *q);
	void (*start)(struct disk_queue *q, struct disk_req *req);
	void (*push)(struct disk_queue *q);
	/* Move what has ended to q->ended; wait: until there is something in it. */
	void (*collect)(struct disk_queue *q, bool wait);
	bool (*arm)(struct disk_queue *q);
	int (*fd)(const struct disk_queue *q);
};

extern const struct disk_engine disk_engine_sync, disk_engine_uring;

/* medium.c: open the file and find out what it is; a message for what is wrong. */
int medium_open(struct disk *d);
void medium_close(struct disk *d);
/* Is it still as large as it was? -ENODEV if not, from then on and for all. */
int medium_check(struct disk *d);

/*
 * blocking.c: all of a request here and now, from byte `from` of a read or write on; 0 or -errno.
 */
int disk_blocking(struct disk_queue *q, struct disk_req *req, uint64_t from);
/* One system call of a read or write; what it returned. */
ssize_t disk_move(const struct disk *d, const struct disk_req *req, const struct iovec *iov, unsigned n,
		  uint64_t at);
/* DISK_ZERO: the mode of fallocate */
int disk_zero_mode(const struct disk_req *req);

/* queue.c, for engines: result is what the system call returned. */
void disk_ended(struct disk_queue *q, struct disk_req *req, int result);
/* What a system call would have returned for all of it. */
int disk_result(const struct disk_req *req, int err);
/* Can the host's kernel use the request's memory as it is? */
bool disk_in_place(const struct disk *d, const struct disk_req *req);

#endif
