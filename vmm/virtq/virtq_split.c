// SPDX-License-Identifier: MIT
/* The split ring (virtio 1.3, 2.7). */
#include "vmm/virtq/virtq_priv.h"

/* linux/virtio_ring.h has flexible arrays here; the event fields lie behind them. */
static struct vring_avail *avail(const struct virtq *vq)
{
	return vq->map.driver;
}

static struct vring_used *used(const struct virtq *vq)
{
	return vq->map.device;
}

static uint16_t *used_event(const struct virtq *vq)
{
	return &avail(vq)->ring[vq->map.size];
}

static uint16_t *avail_event(const struct virtq *vq)
{
	return (uint16_t *)&used(vq)->ring[vq->map.size];
}

/*
 * Follow next through a table of n descriptors; at most n steps, so a loop ends. Sets *indirect instead
 * when the first and only descriptor is one and that is allowed here.
 */
static int walk_chain(const struct virtq *vq, struct virtq_chain *c, unsigned max_iov, const char *table,
		      unsigned n, unsigned i, struct vring_desc *indirect)
{
	struct vring_desc d;

	for (unsigned steps = 0; steps < n; steps++) {
		if (i >= n)
			return -EBADMSG;
		virtq_fetch(&d, table + 16ull * i);
		if (d.flags & VRING_DESC_F_INDIRECT) {
			if (!indirect || d.flags & VRING_DESC_F_NEXT) /* nested; 2.7.5.3.1 */
				return -EBADMSG;
			*indirect = d;
			return 0;
		}
		if (virtq_chain_add(vq, c, max_iov, d.addr, d.len, d.flags & VRING_DESC_F_WRITE))
			return -EBADMSG;
		if (!(d.flags & VRING_DESC_F_NEXT))
			return 0;
		i = d.next;
	}
	return -EBADMSG;
}

int virtq_split_pop(struct virtq *vq, struct virtq_chain *c, unsigned max_iov)
{
	unsigned mask = vq->map.size - 1u;
	struct vring_desc ind = {.len = 0};
	const char *table;
	uint16_t head;

	if (vq->avail_idx == vq->seen_idx) {
		vq->seen_idx = shared_load_acquire(&avail(vq)->idx);
		if (vq->avail_idx == vq->seen_idx)
			return 0;
	}
	if ((uint16_t)(vq->seen_idx - vq->avail_idx) > vq->map.size)
		return -EBADMSG;
	head = shared_load(&avail(vq)->ring[vq->avail_idx & mask]);
	if (head >= vq->map.size || vq->busy[head])
		return -EBADMSG;
	c->id = head;
	if (walk_chain(vq, c, max_iov, vq->map.desc, vq->map.size, head, &ind))
		return -EBADMSG;
	if (ind.flags & VRING_DESC_F_INDIRECT) {
		/* A chain may end in an indirect descriptor (2.7.5.3.2). */
		table = virtq_indirect(vq, ind.addr, ind.len);
		if (!table || walk_chain(vq, c, max_iov, table, ind.len / 16, 0, NULL))
			return -EBADMSG;
	}
	vq->busy[head] = true;
	vq->avail_idx++;
	return 1;
}

void virtq_split_used(struct virtq *vq, uint16_t id, uint32_t len, unsigned skip)
{
	struct vring_used_elem *e = &used(vq)->ring[vq->used_idx & (vq->map.size - 1u)];

	shared_store(&e->id, (uint32_t)id);
	shared_store(&e->len, len);
	vq->used_idx += skip;
}

void virtq_split_publish(struct virtq *vq)
{
	shared_store_release(&used(vq)->idx, vq->used_idx);
	vq->unseen += vq->batch_n;
}

bool virtq_split_wants(const struct virtq *vq, uint16_t from, uint16_t to)
{
	if (!vq->event_idx)
		return !(shared_load(&avail(vq)->flags) & VRING_AVAIL_F_NO_INTERRUPT);
	return vring_need_event(shared_load(used_event(vq)), to, from);
}

/* The event index cannot be switched off, but an index just behind is the last that the driver comes to. */
void virtq_split_kicks(struct virtq *vq, bool on)
{
	if (vq->event_idx)
		shared_store(avail_event(vq), (uint16_t)(vq->avail_idx - !on));
	else
		shared_store(&used(vq)->flags, (uint16_t)bits_if(!on, VRING_USED_F_NO_NOTIFY));
}

bool virtq_split_more(const struct virtq *vq)
{
	return shared_load(&avail(vq)->idx) != vq->avail_idx;
}
