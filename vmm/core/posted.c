// SPDX-License-Identifier: MIT
#include "vmm/core/posted.h"

#include <errno.h>
#include <string.h>

#include "vmm/core/machine.h"

void posted_init(struct posted *p)
{
	pthread_mutex_init(&p->lock, NULL);
}

void posted_destroy(struct posted *p)
{
	pthread_mutex_destroy(&p->lock);
}

void posted_set_ring(struct posted *p, void *ring, size_t bytes)
{
	p->ring = ring;
	p->slots = (unsigned)((bytes - sizeof(*p->ring)) / sizeof(p->ring->coalesced_mmio[0]));
}

/* Equal: nothing is left, and nobody is at the last of them. */
static bool ring_empty(const struct kvm_coalesced_mmio_ring *r, uint32_t *last)
{
	*last = __atomic_load_n(&r->last, __ATOMIC_ACQUIRE);
	return __atomic_load_n(&r->first, __ATOMIC_ACQUIRE) == *last;
}

static void deliver_entry(const struct posted *p, const struct kvm_coalesced_mmio *e)
{
	uint64_t val = 0;

	memcpy(&val, e->data, MIN(e->len, sizeof(val)));
	for (size_t i = 0; i < p->n; i++) {
		const struct posted_zone *z = &p->zone[i];
		uint64_t start = z->base + z->off;

		if (e->phys_addr < start || !range_ok(e->phys_addr - start, e->len, z->len))
			continue;
		z->write(z->dev, e->phys_addr - z->base, e->len, val);
		return;
	}
}

/* No more than what was there at the start: other vCPUs may go on for ever. */
void posted_flush(struct posted *p)
{
	struct kvm_coalesced_mmio_ring *r = p->ring;
	uint32_t last;

	if (!r || ring_empty(r, &last))
		return;
	pthread_mutex_lock(&p->lock);
	ring_empty(r, &last);
	for (uint32_t at = r->first; at != last;) {
		struct kvm_coalesced_mmio e = r->coalesced_mmio[at];

		deliver_entry(p, &e);
		at = (at + 1) % p->slots;
		__atomic_store_n(&r->first, at, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&p->lock);
}

void posted_drop(struct posted *p)
{
	if (p->ring)
		p->ring->first = p->ring->last;
}

/* ---- what devices call ---- */

int vm_post_ports(struct vm *vm, uint64_t base, uint64_t off, uint64_t len, posted_write_fn write, void *dev)
{
	struct posted *p = &vm->posted;
	int err = -ENOSPC;

	pthread_mutex_lock(&p->lock);
	if (p->n < POSTED_ZONES && p->ring) {
		p->zone[p->n] = (struct posted_zone){base, off, len, write, dev};
		err = vm->backend->post_ports(vm, base + off, len, true);
		p->n += !err;
	}
	pthread_mutex_unlock(&p->lock);
	return err;
}

void vm_unpost_ports(struct vm *vm, uint64_t base, const void *dev)
{
	struct posted *p = &vm->posted;
	size_t kept = 0;

	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < p->n; i++) {
		struct posted_zone z = p->zone[i];

		if (z.base == base && z.dev == dev)
			vm->backend->post_ports(vm, z.base + z.off, z.len, false);
		else
			p->zone[kept++] = z;
	}
	p->n = kept;
	pthread_mutex_unlock(&p->lock);
}

void vm_flush_posted(struct vm *vm)
{
	posted_flush(&vm->posted);
}
