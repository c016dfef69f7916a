// SPDX-License-Identifier: MIT
/* The vhost-user back-end's device: it starts, changes and stops with what the front-end has told so far. */
#include "vmm/devices/virtio_net/back_priv.h"

#include <linux/virtio_config.h>

#include "base/log.h"

#define BIT(n) (1ull << (n))

static int translate_layout(struct vu_back *b, unsigned i, struct virtq_layout *l)
{
	const struct vu_back_ring *r = &b->ring[i];
	bool packed = b->features & BIT(VIRTIO_F_RING_PACKED);
	int err;

	l->size = (uint16_t)r->num;
	err = vu_mem_translate(&b->mem, r->addr.desc, 16ull * r->num, &l->desc);
	if (!err)
		err = vu_mem_translate(&b->mem, r->addr.avail, virtq_driver_bytes(packed, r->num),
				       &l->driver);
	if (!err)
		err = vu_mem_translate(&b->mem, r->addr.used, virtq_device_bytes(packed, r->num), &l->device);
	return err;
}

/* Memory may still come after the addresses: a ring that is not in it yet waits. */
static bool ring_runnable(struct vu_back *b, unsigned i)
{
	const struct vu_back_ring *r = &b->ring[i];
	struct virtq_layout l;

	return r->num && r->has_addr && r->kick_fd >= 0 && r->enabled && b->gm && !translate_layout(b, i, &l);
}

/* Go on where another back-end was killed. One that ended in good order has left the same in both places. */
static void resume_ring(struct vu_back *b, unsigned i, const struct virtq_layout *l)
{
	struct virtq_progress *p = inflight_progress(&b->inflight, i, l->size);

	b->ring[i].resume = false;
	if (!(b->features & BIT(VIRTIO_F_RING_PACKED)) || !p)
		return;
	if (inflight_used(&b->inflight, i) && virtq_resume(b->gm, l, p, &b->ring[i].base))
		log_guest("vhost-user: the inflight region says nothing sensible of ring %u", i);
	inflight_begin(&b->inflight, i, b->ring[i].base);
}

static void fill_ring(struct vu_back *b, unsigned i)
{
	struct net_ring *n = &b->be->rings[i];
	struct vu_back_ring *r = &b->ring[i];

	n->ready = r->running;
	translate_layout(b, i, &n->layout);
	if (r->running && r->resume)
		resume_ring(b, i, &n->layout);
	n->base = r->base;
	n->progress = inflight_progress(&b->inflight, i, r->num);
	n->kick_fd = r->kick_fd;
	n->call_fd = r->call_fd;
	n->stats = &r->stats;
}

/* The pairs that the guest uses are those up to the last running ring. */
static int set_pairs(struct vu_back *b)
{
	unsigned pairs = 1;

	for (unsigned i = 0; i < vu_n_rings(b); i++)
		if (b->ring[i].running)
			pairs = i / 2 + 1;
	if (b->be->ops->set_pairs)
		return b->be->ops->set_pairs(b->be, pairs);
	return 0;
}

void vu_device_stop(struct vu_back *b)
{
	if (b->started)
		b->be->ops->stop(b->be);
	b->started = false;
	for (unsigned i = 0; i < vu_n_rings(b); i++)
		if (b->ring[i].running)
			b->ring[i].base = b->be->rings[i].base;
}

int vu_device_update(struct vu_back *b)
{
	bool any = false;
	int err;

	vu_device_stop(b);
	for (unsigned i = 0; i < vu_n_rings(b); i++) {
		b->ring[i].running = ring_runnable(b, i);
		any |= b->ring[i].running;
		fill_ring(b, i);
	}
	if (!any)
		return 0;
	b->be->gm = b->gm;
	b->started = true;
	err = b->be->ops->start(b->be, b->features, vu_n_rings(b));
	if (!err)
		err = b->be->ops->set_offloads(b->be, b->features);
	if (!err)
		err = set_pairs(b);
	if (err)
		vu_device_stop(b);
	return err;
}

void vu_ring_reset(struct vu_back_ring *r)
{
	close_fd(&r->kick_fd);
	close_fd(&r->err_fd);
	r->has_addr = r->enabled = r->running = r->resume = false;
	r->num = r->base = 0;
}
