/* SPDX-License-Identifier: MIT */
/*
 * What the block workloads write, so that a read can tell whose sector it holds: each sector of 512
 * bytes says where it belongs and which write it was, and ends with a sum over all of it. A sector
 * that is old, torn, at the wrong place or of someone else fails one of the comparisons.
 */
#ifndef WORKLOADS_BLK_STAMP_H
#define WORKLOADS_BLK_STAMP_H

#include <stdint.h>

#define BLK_SECTOR	512
#define BLK_STAMP_MAGIC 0x4b4c42544958455aull
#define BLK_STAMP_WORDS (BLK_SECTOR / 8)

struct blk_stamp {
	uint64_t magic, sector, seq;
	uint64_t fill[BLK_STAMP_WORDS - 4]; /* from sector and seq */
	uint64_t sum;			    /* of the words before */
};

_Static_assert(sizeof(struct blk_stamp) == BLK_SECTOR, "one sector");

static inline uint64_t blk_stamp_fill(uint64_t sector, uint64_t seq, unsigned i)
{
	return (sector * 0x9e3779b97f4a7c15ull ^ seq) + i;
}

static inline uint64_t blk_stamp_sum(const struct blk_stamp *s)
{
	const uint64_t *w = (const uint64_t *)s;
	uint64_t sum = 1;

	for (unsigned i = 0; i < BLK_STAMP_WORDS - 1; i++)
		sum = (sum << 1 | sum >> 63) + w[i];
	return sum;
}

static inline void blk_stamp_write(struct blk_stamp *s, uint64_t sector, uint64_t seq)
{
	s->magic = BLK_STAMP_MAGIC;
	s->sector = sector;
	s->seq = seq;
	for (unsigned i = 0; i < BLK_STAMP_WORDS - 4; i++)
		s->fill[i] = blk_stamp_fill(sector, seq, i);
	s->sum = blk_stamp_sum(s);
}

/* What is wrong with it, whose last write was seq; a null pointer: nothing. */
static inline const char *blk_stamp_check(const struct blk_stamp *s, uint64_t sector, uint64_t seq)
{
	if (s->magic != BLK_STAMP_MAGIC)
		return "not written by us";
	if (s->sector != sector)
		return "of another place";
	if (s->sum != blk_stamp_sum(s))
		return "torn or damaged";
	return s->seq == seq ? 0 : "not that of the last write";
}

#endif
