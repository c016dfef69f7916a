/* SPDX-License-Identifier: MIT */
/*
 * A disk in memory whose cache is lost with its power, as a file that another process opens: what is
 * written stays in the cache until the file is flushed (fsync, fdatasync, O_DSYNC, RWF_DSYNC, io_uring's
 * fsync). The kernel brings us the file's requests (FUSE), and nothing else stands between: no page cache
 * (direct I/O).
 *
 * When power fails each sector of the cache has reached the medium or has not, each by its own coin.
 */
#ifndef TESTS_SOAK_LOSSY_H
#define TESTS_SOAK_LOSSY_H

#include "base/util.h"

#define LOSSY_SECTOR 512u

struct lossy;

struct lossy_loss {
	unsigned cached; /* sectors that had not been flushed */
	unsigned lost;	 /* of them */
};

/* Mounts it in a mount namespace of our own. 0 or -errno; -EPERM, -ENOENT: there is no FUSE for us here. */
int lossy_open(struct lossy **out, uint64_t bytes);
void lossy_close(struct lossy *l);
const char *lossy_path(const struct lossy *l);
/* Until nobody has the file open and all that was asked has been done; -ETIMEDOUT. */
int lossy_wait_closed(struct lossy *l);
/* Power fails: until lossy_load nothing is written or flushed, and all who ask for it get EIO. */
void lossy_cut(struct lossy *l);
/*
 * What that leaves, once nobody has it open. tear: the medium breaks its promise, and the sectors of the
 * cache are half there.
 */
struct lossy_loss lossy_settle(struct lossy *l, uint64_t *random, bool tear);
/* What is on the medium. */
const uint8_t *lossy_medium(const struct lossy *l);
/* It has power, and this is on it, all of it; NULL: zeroes. Nobody may have it open. */
void lossy_load(struct lossy *l, const void *data);
/* Requests for parts of sectors, or outside of the file, that came. */
unsigned lossy_ragged(const struct lossy *l);
/* Sectors that would be lost now, and writes so far; safe at any time. */
unsigned lossy_cached(const struct lossy *l);
uint64_t lossy_writes(const struct lossy *l);

#endif
