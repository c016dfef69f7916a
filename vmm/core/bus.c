// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "vmm/core/bus.h"

void bus_init(struct bus *b, const char *name)
{
	memset(b, 0, sizeof(*b));
	b->name = name;
	pthread_rwlock_init(&b->lock, NULL);
}

void bus_destroy(struct bus *b)
{
	pthread_rwlock_destroy(&b->lock);
}

int bus_map(struct bus *b, uint64_t base, uint64_t len, const struct bus_ops *ops, void *dev)
{
	int err = 0;

	if (!len || base + len - 1 < base)
		return -EINVAL;
	pthread_rwlock_wrlock(&b->lock);
	if (b->n < BUS_RANGES)
		b->range[b->n++] = (struct bus_range){base, len, ops, dev};
	else
		err = -ENOSPC;
	pthread_rwlock_unlock(&b->lock);
	if (err)
		log_guest("%s space: no room for %s at 0x%" PRIx64, b->name, ops->name, base);
	return err;
}

void bus_unmap(struct bus *b, uint64_t base, const void *dev)
{
	pthread_rwlock_wrlock(&b->lock);
	for (size_t i = 0; i < b->n; i++) {
		if (b->range[i].base != base || b->range[i].dev != dev)
			continue;
		memmove(&b->range[i], &b->range[i + 1], (b->n - i - 1) * sizeof(b->range[0]));
		b->n--;
		break;
	}
	pthread_rwlock_unlock(&b->lock);
}

/* A copy: the device is called without the lock, since a write may move the very range it came
 * through. Devices outlive all vCPUs, so the copy stays good. */
static bool find_range(struct bus *b, uint64_t addr, unsigned len, struct bus_range *out)
{
	bool found = false;

	pthread_rwlock_rdlock(&b->lock);
	for (size_t i = 0; i < b->n && !found; i++) {
		const struct bus_range *r = &b->range[i];

		found = addr >= r->base && range_ok(addr - r->base, len, r->len);
		if (found)
			*out = *r;
	}
	pthread_rwlock_unlock(&b->lock);
	if (!found)
		__atomic_fetch_add(&b->unclaimed, 1, __ATOMIC_RELAXED);
	return found;
}

uint64_t bus_read(struct bus *b, uint64_t addr, unsigned len)
{
	struct bus_range r;

	if (!find_range(b, addr, len, &r) || !r.ops->read)
		return bus_ones(len);
	return r.ops->read(r.dev, addr - r.base, len) & bus_ones(len);
}

void bus_write(struct bus *b, uint64_t addr, unsigned len, uint64_t val)
{
	struct bus_range r;

	if (find_range(b, addr, len, &r) && r.ops->write)
		r.ops->write(r.dev, addr - r.base, len, val & bus_ones(len));
}
