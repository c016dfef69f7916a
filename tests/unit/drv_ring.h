/* SPDX-License-Identifier: MIT */
/*
 * The driver's side of a virtqueue for tests: honest by itself, with the ring's memory open to those who
 * are not.
 */
#ifndef TESTS_UNIT_DRV_RING_H
#define TESTS_UNIT_DRV_RING_H

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>
#include "vmm/virtq/virtqueue.h"

#define F_PACKED    (1ull << VIRTIO_F_RING_PACKED)
#define F_INDIRECT  (1ull << VIRTIO_RING_F_INDIRECT_DESC)
#define F_EVENT_IDX (1ull << VIRTIO_RING_F_EVENT_IDX)
#define F_IN_ORDER  (1ull << VIRTIO_F_IN_ORDER)

struct drv_seg {
	uint64_t gpa;
	uint32_t len;
	bool write;
};

struct drv_ring {
	struct gmem *gm;
	struct virtq_layout l;
	uint64_t features;
	bool packed;
	gpa_t tables; /* room for one indirect table per ID */
	uint16_t next, seen; /* avail and used position; split: free-running */
	bool avail_wrap, used_wrap;
	uint16_t n_desc[VIRTQ_SIZE_MAX]; /* per ID; 0 = free */
	/* Host views. */
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	struct vring_packed_desc *pdesc;
	struct vring_packed_desc_event *pdriver, *pdevice;
};

/* Lays the ring at gpa; it takes DRV_RING_BYTES(size). */
#define DRV_TABLE 64 /* longest indirect table of drv_add */
#define DRV_RING_BYTES(size) ((size) * 64ull + (size) * DRV_TABLE * 16ull + 8192)

static inline void drv_ring_init(struct drv_ring *d, struct gmem *gm, gpa_t gpa, uint16_t size,
				 uint64_t features)
{
	memset(d, 0, sizeof(*d));
	memset(gmem_ptr(gm, gpa, DRV_RING_BYTES(size)), 0, DRV_RING_BYTES(size));
	d->gm = gm;
	d->features = features;
	d->packed = features & F_PACKED;
	d->l = (struct virtq_layout){size, gpa, gpa + 16ull * size, gpa + 16ull * size + 4096};
	d->tables = gpa + 64ull * size + 8192;
	d->desc = gmem_ptr(gm, d->l.desc, 16ull * size);
	d->pdesc = (void *)d->desc;
	d->avail = gmem_ptr(gm, d->l.driver, 4);
	d->pdriver = (void *)d->avail;
	d->used = gmem_ptr(gm, d->l.device, 4);
	d->pdevice = (void *)d->used;
	d->avail_wrap = d->used_wrap = true;
}

static inline void drv_split_offer(struct drv_ring *d, uint16_t head)
{
	d->avail->ring[d->next % d->l.size] = head;
	__atomic_store_n(&d->avail->idx, ++d->next, __ATOMIC_RELEASE);
}

/* First free run of n IDs (split: descriptors); BUG by abort when full. */
static inline uint16_t drv_alloc(struct drv_ring *d, unsigned n)
{
	for (unsigned i = 0; i + n <= d->l.size; i++) {
		unsigned k = 0;

		while (k < n && !d->n_desc[i + k])
			k++;
		if (k == n)
			return (uint16_t)i;
	}
	abort();
}

static inline void drv_fill_split(struct vring_desc *t, unsigned first, const struct drv_seg *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		t[i] = (struct vring_desc){s[i].gpa, s[i].len,
					   (uint16_t)((s[i].write ? VRING_DESC_F_WRITE : 0) |
						      (i + 1 < n ? VRING_DESC_F_NEXT : 0)),
					   (uint16_t)(first + i + 1)};
}

static inline uint16_t drv_add_split(struct drv_ring *d, const struct drv_seg *s, unsigned n, bool indirect)
{
	uint16_t head = drv_alloc(d, indirect ? 1 : n);
	gpa_t table = d->tables + 16ull * d->l.size * head;

	if (indirect) {
		drv_fill_split(gmem_ptr(d->gm, table, 16ull * n), 0, s, n);
		d->desc[head] = (struct vring_desc){table, 16 * n, VRING_DESC_F_INDIRECT, 0};
	} else {
		drv_fill_split(&d->desc[head], head, s, n);
	}
	for (unsigned i = 0; i < (indirect ? 1 : n); i++)
		d->n_desc[head + i] = (uint16_t)(indirect ? 1 : n);
	drv_split_offer(d, head);
	return head;
}

static inline uint16_t drv_avail_flags(const struct drv_ring *d)
{
	return d->avail_wrap ? 1u << VRING_PACKED_DESC_F_AVAIL : 1u << VRING_PACKED_DESC_F_USED;
}

static inline void drv_packed_step(struct drv_ring *d)
{
	if (++d->next == d->l.size) {
		d->next = 0;
		d->avail_wrap = !d->avail_wrap;
	}
}

static inline uint16_t drv_add_packed(struct drv_ring *d, const struct drv_seg *s, unsigned n, bool indirect)
{
	uint16_t id = drv_alloc(d, 1), first = d->next, first_flags = 0, flags;
	gpa_t table = d->tables + 16ull * d->l.size * id;
	struct vring_packed_desc *t = indirect ? gmem_ptr(d->gm, table, 16ull * n) : NULL;

	for (unsigned i = 0; t && i < n; i++)
		t[i] = (struct vring_packed_desc){s[i].gpa, s[i].len, 0, s[i].write ? VRING_DESC_F_WRITE : 0};
	for (unsigned i = 0; i < (indirect ? 1 : n); i++) {
		struct vring_packed_desc *p = &d->pdesc[d->next];

		flags = drv_avail_flags(d);
		if (indirect) {
			*p = (struct vring_packed_desc){table, 16 * n, id, p->flags};
			flags |= VRING_DESC_F_INDIRECT;
		} else {
			*p = (struct vring_packed_desc){s[i].gpa, s[i].len, id, p->flags};
			flags |= (uint16_t)((s[i].write ? VRING_DESC_F_WRITE : 0) |
					    (i + 1 < n ? VRING_DESC_F_NEXT : 0));
		}
		if (i)
			p->flags = flags;
		else
			first_flags = flags;
		drv_packed_step(d);
	}
	__atomic_store_n(&d->pdesc[first].flags, first_flags, __ATOMIC_RELEASE);
	d->n_desc[id] = (uint16_t)(indirect ? 1 : n);
	return id;
}

/* Make a request available; its ID. */
static inline uint16_t drv_add(struct drv_ring *d, const struct drv_seg *s, unsigned n, bool indirect)
{
	return d->packed ? drv_add_packed(d, s, n, indirect) : drv_add_split(d, s, n, indirect);
}

/* Next completed request: false when there is none. */
static inline bool drv_get(struct drv_ring *d, uint16_t *id, uint32_t *len)
{
	uint16_t flags, n;

	if (!d->packed) {
		if (__atomic_load_n(&d->used->idx, __ATOMIC_ACQUIRE) == d->seen)
			return false;
		*id = (uint16_t)d->used->ring[d->seen % d->l.size].id;
		*len = d->used->ring[d->seen++ % d->l.size].len;
		n = d->n_desc[*id];
		for (unsigned i = 0; i < n; i++)
			d->n_desc[*id + i] = 0;
		return true;
	}
	flags = __atomic_load_n(&d->pdesc[d->seen].flags, __ATOMIC_ACQUIRE);
	if (!!(flags & 1u << VRING_PACKED_DESC_F_AVAIL) != d->used_wrap ||
	    !!(flags & 1u << VRING_PACKED_DESC_F_USED) != d->used_wrap)
		return false;
	*id = d->pdesc[d->seen].id;
	*len = d->pdesc[d->seen].len;
	d->seen = (uint16_t)(d->seen + d->n_desc[*id]);
	if (d->seen >= d->l.size) {
		d->seen = (uint16_t)(d->seen - d->l.size);
		d->used_wrap = !d->used_wrap;
	}
	d->n_desc[*id] = 0;
	return true;
}

#endif
