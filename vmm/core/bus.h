/* SPDX-License-Identifier: MIT */
/*
 * Port and memory-mapped address spaces: who answers an address. An earlier range wins over a later
 * one that overlaps it, so a guest that moves a BAR onto a platform device cannot take its place.
 * What nobody answers reads as all-ones and is dropped when written.
 */
#ifndef VMM_CORE_BUS_H
#define VMM_CORE_BUS_H

#include <pthread.h>
#include "vmm/core/vm.h"

#define BUS_RANGES 128

struct bus_range {
	uint64_t base, len;
	const struct bus_ops *ops;
	void *dev;
};

struct bus {
	const char *name;
	pthread_rwlock_t lock; /* innermost; not held while a device is called */
	size_t n;
	struct bus_range range[BUS_RANGES];
	uint64_t unclaimed; /* accesses nobody answered */
};

void bus_init(struct bus *b, const char *name);
void bus_destroy(struct bus *b);
/* 0, -EINVAL (empty or wraps), -ENOSPC (logged). */
int bus_map(struct bus *b, uint64_t base, uint64_t len, const struct bus_ops *ops, void *dev);
void bus_unmap(struct bus *b, uint64_t base, const void *dev);
uint64_t bus_read(struct bus *b, uint64_t addr, unsigned len);
void bus_write(struct bus *b, uint64_t addr, unsigned len, uint64_t val);

/* All-ones of an access's width. */
static inline uint64_t bus_ones(unsigned len)
{
	return len >= 8 ? UINT64_MAX : (1ull << (len * 8)) - 1;
}

#endif
