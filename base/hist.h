/* SPDX-License-Identifier: MIT */
/*
 * HDR-style histogram of nanoseconds (or any u64): HIST_SUB linear sub-buckets per power of two.
 *
 *   value  0..127 -> one slot each; above that the top 7 bits choose the slot, so a slot is at most
 *   1/64 of its value wide and its middle is within 0.8 % of every value in it.
 *
 * The struct is plain data and is shared with BPF maps and across processes: keep it so.
 */
#ifndef BASE_HIST_H
#define BASE_HIST_H

#define HIST_SUB_BITS 6
#define HIST_SUB      (1u << HIST_SUB_BITS)
#define HIST_MAX_BITS 40 /* about 18 minutes in ns; larger values land in the last slot */
#define HIST_SLOTS    ((HIST_MAX_BITS - HIST_SUB_BITS + 1) * HIST_SUB)

/* Also compiled for BPF: no calls, no loops. log2 is that of v, for v >= HIST_SUB. */
#define HIST_SLOT_OF(v, log2)                                                                     \
	((v) < HIST_SUB ? (unsigned)(v)                                                           \
			: ((log2) - HIST_SUB_BITS + 1) * HIST_SUB +                               \
				  (unsigned)(((v) >> ((log2) - HIST_SUB_BITS)) & (HIST_SUB - 1)))

#ifndef __bpf__
#include "base/util.h"

struct hist {
	uint64_t count, sum, min, max;
	uint64_t slots[HIST_SLOTS];
};

void hist_init(struct hist *h);
void hist_add(struct hist *h, uint64_t value);
void hist_merge(struct hist *into, const struct hist *from);
/* What came after `before`; min and max are then those of the slots left, not of single values. */
void hist_subtract(struct hist *h, const struct hist *before);
unsigned hist_slot(uint64_t value);
/* Lowest value of a slot, and the lowest above it. */
uint64_t hist_slot_low(unsigned slot);
uint64_t hist_slot_high(unsigned slot);
/* q in [0, 1]; middle of the slot, clamped to [min, max]; 0 when empty. */
uint64_t hist_quantile(const struct hist *h, double q);
double hist_mean(const struct hist *h);

#endif /* __bpf__ */
#endif
