// SPDX-License-Identifier: MIT
/* The packed ring (virtio 1.3, 2.8). */
#include "base/log.h"
#include "vmm/virtq/virtq_priv.h"

#define F_AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define F_USED  (1u << VRING_PACKED_DESC_F_USED)

static struct vring_packed_desc *packed_ring(const struct virtq *vq)
{
	return vq->map.desc;
}

static struct vring_packed_desc_event *driver_event(const struct virtq *vq)
{
	return vq->map.driver;
}

static struct vring_packed_desc_event *device_event(const struct virtq *vq)
{
	return vq->map.device;
}

/* 2.8.1: available when AVAIL equals the driver's wrap counter and USED does not. */
static bool is_avail(uint16_t flags, bool wrap)
{
	return !!(flags & F_AVAIL) == wrap && !!(flags & F_USED) != wrap;
}

/* The step is a lap at most, because walk_chain() never takes more than that; a longer one would leave the
 * ring. */
static void step_index(uint16_t *idx, bool *wrap, unsigned by, unsigned size)
{
	unsigned i = *idx + by;

	BUG_ON(by > size);
	if (i >= size) {
		i -= size;
		*wrap = !*wrap;
	}
	*idx = (uint16_t)i;
}

/* In a table (2.8.7) NEXT means nothing and all descriptors belong to the request, in order. */
static int walk_indirect(const struct virtq *vq, struct virtq_chain *c, unsigned max_iov,
			 uint64_t addr, uint32_t len)
{
	const char *table = virtq_indirect(vq, addr, len);
	struct vring_packed_desc d;

	if (!table)
		return -EBADMSG;
	for (unsigned i = 0; i < len / 16; i++) {
		virtq_fetch(&d, table + 16ull * i);
		if (d.flags & VRING_DESC_F_INDIRECT)
			return -EBADMSG;
		if (virtq_chain_add(vq, c, max_iov, d.addr, d.len, d.flags & VRING_DESC_F_WRITE))
			return -EBADMSG;
	}
	return 0;
}

/*
 * The first descriptor's flags were read with acquire order, so they count; those of the copy may be newer.
 */
static int walk_chain(const struct virtq *vq, struct virtq_chain *c, unsigned max_iov, uint16_t flags)
{
	unsigned i = vq->avail_idx;
	struct vring_packed_desc d;

	for (;;) {
		/* The chain has more entries than the driver can own: it loops, or has one that the device
		 * has not given back. */
		if (vq->held + c->n_desc >= vq->map.size)
			return -EBADMSG;
		virtq_fetch(&d, &packed_ring(vq)[i]);
		if (c->n_desc++)
			flags = d.flags;
		if (flags & VRING_DESC_F_INDIRECT) {
			c->id = d.id;
			if (flags & VRING_DESC_F_NEXT || c->n_desc > 1)
				return -EBADMSG;
			return walk_indirect(vq, c, max_iov, d.addr, d.len);
		}
		if (virtq_chain_add(vq, c, max_iov, d.addr, d.len, flags & VRING_DESC_F_WRITE))
			return -EBADMSG;
		if (!(flags & VRING_DESC_F_NEXT)) {
			c->id = d.id; /* the last one has the buffer's ID */
			return 0;
		}
		if (++i == vq->map.size)
			i = 0;
	}
}

int virtq_packed_pop(struct virtq *vq, struct virtq_chain *c, unsigned max_iov)
{
	uint16_t flags = shared_load_acquire(&packed_ring(vq)[vq->avail_idx].flags);

	if (!is_avail(flags, vq->avail_wrap))
		return 0;
	if (walk_chain(vq, c, max_iov, flags))
		return -EBADMSG;
	vq->held += c->n_desc;
	step_index(&vq->avail_idx, &vq->avail_wrap, c->n_desc, vq->map.size);
	return 1;
}

void virtq_packed_rewind(struct virtq *vq, unsigned n_desc)
{
	vq->held -= n_desc;
	if (vq->avail_idx < n_desc) {
		vq->avail_idx += vq->map.size;
		vq->avail_wrap = !vq->avail_wrap;
	}
	vq->avail_idx -= n_desc;
}

static void progress_store(struct virtq *vq, uint16_t used, bool wrap)
{
	struct {
		struct virtq_progress p;
	} v = {.p.word = 0};

	v.p.used = used;
	v.p.used_wrap = wrap;
	v.p.old_used = vq->track_idx;
	v.p.old_used_wrap = vq->track_wrap;
	__atomic_store_n(&vq->progress->word, v.p.word, __ATOMIC_RELEASE);
}

void virtq_packed_track(struct virtq *vq)
{
	vq->track_idx = vq->used_idx;
	vq->track_wrap = vq->used_wrap;
	progress_store(vq, vq->used_idx, vq->used_wrap);
}

/* Called before the entry is overwritten: keeps what it held. */
static void save_entry(struct virtq *vq, const struct vring_packed_desc *d, unsigned skip)
{
	uint16_t next = vq->used_idx;
	bool wrap = vq->used_wrap;

	vq->progress->saved[vq->used_idx] = (struct virtq_saved){.num = (uint16_t)skip,
								 .id = d->id,
								 .flags = d->flags,
								 .len = d->len,
								 .addr = d->addr};
	step_index(&next, &wrap, skip, vq->map.size);
	progress_store(vq, next, wrap);
}

static void restore_entries(struct vring_packed_desc *ring, const struct virtq_progress *progress,
			    unsigned from, unsigned to, unsigned size)
{
	/* What is saved is trusted as little as the ring is: no more than a lap of it is put back. */
	for (unsigned n = 0, at = from; n < size; n++) {
		struct virtq_saved s = progress->saved[at];

		ring[at].id = s.id;
		ring[at].len = s.len;
		shared_store_release(&ring[at].flags, s.flags);
		if (!s.num || s.num > size)
			return;
		at = (at + s.num) % size;
		if (at == to)
			return;
	}
}

int virtq_resume(const struct gmem *gm, const struct virtq_layout *l,
		 const struct virtq_progress *progress, uint32_t *base)
{
	struct {
		struct virtq_progress p;
	} v = {.p.word = __atomic_load_n(&progress->word, __ATOMIC_ACQUIRE)};
	struct vring_packed_desc *d = gmem_ptr(gm, l->desc, 16ull * l->size);
	uint32_t at = v.p.old_used | (uint32_t)v.p.old_used_wrap << 15;
	uint32_t end = v.p.used | (uint32_t)v.p.used_wrap << 15;
	uint16_t flags;

	if (v.p.used >= l->size || v.p.old_used >= l->size ||
	    (v.p.used_wrap | v.p.old_used_wrap) > 1)
		return -EINVAL;
	if (!d)
		return -EFAULT;
	flags = shared_load_acquire(&d[v.p.old_used].flags);
	if (!!(flags & F_AVAIL) == v.p.old_used_wrap && !!(flags & F_USED) == v.p.old_used_wrap)
		at = end; /* both bits have this lap's value (2.8.1): the batch was published */
	else if (at != end)
		restore_entries(d, progress, v.p.old_used, v.p.used, l->size);
	*base = at | at << 16;
	return 0;
}

/*
 * The flags of a batch's first entry are held back until publish: the driver looks at entries in order, so
 * it sees the whole batch or nothing of it.
 */
void virtq_packed_used(struct virtq *vq, uint16_t id, uint32_t len, bool wrote, unsigned skip)
{
	struct vring_packed_desc *d = &packed_ring(vq)[vq->used_idx];
	uint16_t flags =
		(uint16_t)(bits_if(vq->used_wrap, F_AVAIL | F_USED) | bits_if(wrote, VRING_DESC_F_WRITE));

	if (vq->progress)
		save_entry(vq, d, skip);
	shared_store(&d->id, id);
	shared_store(&d->len, len);
	if (!vq->batch_pending) {
		vq->batch_pending = true;
		vq->batch_start = vq->used_idx;
		vq->batch_flags = flags;
	} else {
		shared_store_release(&d->flags, flags);
	}
	vq->unseen += skip;
	vq->held -= skip;
	step_index(&vq->used_idx, &vq->used_wrap, skip, vq->map.size);
}

void virtq_packed_publish(struct virtq *vq)
{
	shared_store_release(&packed_ring(vq)[vq->batch_start].flags, vq->batch_flags);
	vq->batch_pending = false;
	if (vq->progress)
		virtq_packed_track(vq);
}

/*
 * 2.8.10: an offset and wrap counter say "when the entry there has been used"; compared as in the split
 * ring, with offsets of the lap before counted negative.
 */
bool virtq_packed_wants(const struct virtq *vq, uint16_t from, uint16_t to)
{
	uint16_t flags = shared_load_acquire(&driver_event(vq)->flags), off;

	if (flags != VRING_PACKED_EVENT_FLAG_DESC || !vq->event_idx)
		return flags != VRING_PACKED_EVENT_FLAG_DISABLE;
	off = shared_load(&driver_event(vq)->off_wrap);
	if ((off >> VRING_PACKED_EVENT_F_WRAP_CTR) != vq->used_wrap)
		off = (uint16_t)((off & 0x7fff) - vq->map.size);
	else
		off &= 0x7fff;
	return vring_need_event(off, to, from);
}

void virtq_packed_kicks(struct virtq *vq, bool on)
{
	uint16_t flags = VRING_PACKED_EVENT_FLAG_DISABLE;

	if (on && vq->event_idx) {
		shared_store(&device_event(vq)->off_wrap,
			     (uint16_t)(vq->avail_idx | vq->avail_wrap
								<< VRING_PACKED_EVENT_F_WRAP_CTR));
		flags = VRING_PACKED_EVENT_FLAG_DESC;
	} else if (on) {
		flags = VRING_PACKED_EVENT_FLAG_ENABLE;
	}
	shared_store_release(&device_event(vq)->flags, flags);
}

bool virtq_packed_more(const struct virtq *vq)
{
	return is_avail(shared_load(&packed_ring(vq)[vq->avail_idx].flags), vq->avail_wrap);
}
