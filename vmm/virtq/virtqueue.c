// SPDX-License-Identifier: MIT
#include "vmm/virtq/virtq_priv.h"

static bool feature(uint64_t features, unsigned bit)
{
	return features >> bit & 1;
}

uint32_t virtq_base_new(uint64_t features)
{
	return bits_if(feature(features, VIRTIO_F_RING_PACKED), 1u << 31 | 1u << 15);
}

static int set_base(struct virtq *vq, uint32_t base)
{
	if (!vq->packed) {
		vq->avail_idx = vq->seen_idx = vq->used_idx = (uint16_t)base;
		return base > UINT16_MAX ? -EINVAL : 0;
	}
	vq->avail_idx = base & 0x7fff;
	vq->avail_wrap = base >> 15 & 1;
	vq->used_idx = base >> 16 & 0x7fff;
	vq->used_wrap = base >> 31;
	return vq->avail_idx < vq->map.size && vq->used_idx < vq->map.size ? 0 : -EINVAL;
}

uint32_t virtq_base(const struct virtq *vq)
{
	if (!vq->packed)
		return vq->avail_idx;
	return vq->avail_idx | (uint32_t)vq->avail_wrap << 15 | (uint32_t)vq->used_idx << 16 |
	       (uint32_t)vq->used_wrap << 31;
}

static bool aligned(const void *p, unsigned a)
{
	return ((uintptr_t)p & (a - 1)) == 0;
}

uint64_t virtq_driver_bytes(bool packed, uint32_t size)
{
	return packed ? 4 : 6 + 2ull * size;
}

uint64_t virtq_device_bytes(bool packed, uint32_t size)
{
	return packed ? 4 : 6 + 8ull * size;
}

int virtq_start(struct virtq *vq, const struct gmem *gm, const struct virtq_layout *l,
		uint64_t features, uint32_t base)
{
	bool packed = feature(features, VIRTIO_F_RING_PACKED);
	struct virtq_map map = {
		.size = l->size,
		.desc = gmem_ptr(gm, l->desc, 16ull * l->size),
		.driver = gmem_ptr(gm, l->driver, virtq_driver_bytes(packed, l->size)),
		.device = gmem_ptr(gm, l->device, virtq_device_bytes(packed, l->size)),
	};
	int err;

	*vq = (struct virtq){.broken = true};
	if (!l->size || l->size > VIRTQ_SIZE_MAX || (!packed && !is_pow2(l->size)))
		return -EINVAL;
	if (!map.desc || !map.driver || !map.device)
		return -EFAULT;
	if (!aligned(map.desc, 16) || !aligned(map.driver, packed ? 4 : 2) || !aligned(map.device, 4))
		return -EINVAL;
	*vq = (struct virtq){
		.gm = gm,
		.map = map,
		.packed = packed,
		.event_idx = feature(features, VIRTIO_RING_F_EVENT_IDX),
		.indirect = feature(features, VIRTIO_RING_F_INDIRECT_DESC),
		.in_order = feature(features, VIRTIO_F_IN_ORDER),
	};
	err = set_base(vq, base);
	vq->broken = err;
	return err;
}

int virtq_chain_add(const struct virtq *vq, struct virtq_chain *c, unsigned max_iov, uint64_t addr,
		    uint32_t len, bool writable)
{
	uint32_t *total = writable ? &c->in_len : &c->out_len;
	unsigned n = c->n_out + c->n_in;
	void *p = gmem_ptr(vq->gm, addr, len); /* NULL for length 0 too */

	if (!p || n >= max_iov || len > UINT32_MAX - *total)
		return -EBADMSG;
	if (!writable && c->n_in) /* 2.6.4.2: readable before writable */
		return -EBADMSG;
	c->iov[n] = (struct iovec){p, len};
	*total += len;
	if (writable)
		c->n_in++;
	else
		c->n_out++;
	return 0;
}

const char *virtq_indirect(const struct virtq *vq, uint64_t addr, uint32_t len)
{
	if (!vq->indirect || !len || len % 16 || len / 16 > vq->map.size)
		return NULL;
	return gmem_ptr(vq->gm, addr, len);
}

int virtq_pop(struct virtq *vq, struct virtq_chain *c, struct iovec *iov, unsigned max_iov)
{
	int r;

	if (vq->broken)
		return -EBADMSG;
	c->iov = iov;
	c->n_out = c->n_in = c->n_desc = 0;
	c->out_len = c->in_len = 0;
	if (vq->packed)
		r = virtq_packed_pop(vq, c, max_iov);
	else
		r = virtq_split_pop(vq, c, max_iov);
	if (r < 0)
		return virtq_bad(vq);
	vq->in_flight += r;
	return r;
}

void virtq_unpop(struct virtq *vq, const struct virtq_chain *c)
{
	vq->in_flight--;
	if (vq->packed) {
		virtq_packed_rewind(vq, c->n_desc);
	} else {
		vq->avail_idx--;
		vq->busy[c->id] = false;
	}
}

static void write_used(struct virtq *vq, uint16_t id, uint32_t len, bool wrote, unsigned bufs,
		       unsigned descs)
{
	if (vq->packed)
		virtq_packed_used(vq, id, len, wrote, descs);
	else
		virtq_split_used(vq, id, len, bufs);
}

/*
 * 2.7.9, 2.8.9: one used entry with the last buffer's ID, at the place of the first, stands for the whole
 * batch.
 */
static void flush_order(struct virtq *vq)
{
	if (vq->order_n)
		write_used(vq, vq->order_id, 0, false, vq->order_n, vq->order_desc);
	vq->order_n = vq->order_desc = 0;
}

void virtq_push(struct virtq *vq, const struct virtq_chain *c, uint32_t written)
{
	vq->in_flight--;
	vq->batch_n++;
	if (!vq->packed)
		vq->busy[c->id] = false;
	if (vq->in_order && !c->n_in) {
		vq->order_n++;
		vq->order_desc += c->n_desc;
		vq->order_id = c->id;
		return;
	}
	flush_order(vq);
	write_used(vq, c->id, written, c->n_in, 1, c->n_desc);
}

void virtq_track(struct virtq *vq, struct virtq_progress *progress)
{
	if (vq->packed && progress) {
		vq->progress = progress;
		virtq_packed_track(vq);
	}
}

void virtq_publish(struct virtq *vq)
{
	if (!vq->batch_n)
		return;
	flush_order(vq);
	if (vq->packed)
		virtq_packed_publish(vq);
	else
		virtq_split_publish(vq);
	vq->batch_n = 0;
}

/* The used entries must be visible before the driver's wish is read; otherwise both sides may go to sleep. */
static bool driver_wants(const struct virtq *vq, uint16_t from, uint16_t to)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (vq->packed)
		return virtq_packed_wants(vq, from, to);
	return virtq_split_wants(vq, from, to);
}

bool virtq_should_call(struct virtq *vq)
{
	uint16_t from = (uint16_t)(vq->used_idx - vq->unseen);
	bool call = vq->unseen && driver_wants(vq, from, vq->used_idx);

	vq->unseen = 0;
	return call;
}

bool virtq_driver_waits(const struct virtq *vq)
{
	return driver_wants(vq, vq->used_idx, (uint16_t)(vq->used_idx + 1));
}

void virtq_kicks_off(struct virtq *vq)
{
	if (vq->packed)
		virtq_packed_kicks(vq, false);
	else
		virtq_split_kicks(vq, false);
}

bool virtq_kicks_on(struct virtq *vq)
{
	if (vq->packed)
		virtq_packed_kicks(vq, true);
	else
		virtq_split_kicks(vq, true);
	/* The wish must be visible to the driver before the ring is looked at again. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (vq->packed)
		return virtq_packed_more(vq);
	return virtq_split_more(vq);
}
