// SPDX-License-Identifier: MIT
/* The vhost-user back-end's device: it starts, changes and stops with what the front-end has told so far. */
#include "vmm/vhost/back_priv.h"

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
	struct served_ring *n = &b->dev->rings[i];
	struct vu_back_ring *r = &b->ring[i];

	n->ready = r->running;
	translate_layout(b, i, &n->layout);
	if (r->running && r->resume)
		resume_ring(b, i, &n->layout);
	n->base = r->base;
	n->progress = inflight_progress(&b->inflight, i, r->num);
	n->kick_fd = r->kick_fd;
	n->call_fd = r->call_fd;
	n->stats = r->stats;
}

void vu_device_stop(struct vu_back *b)
{
	if (b->started)
		b->dev->ops->stop(b->dev);
	b->started = false;
	for (unsigned i = 0; i < b->dev->n_rings; i++)
		if (b->ring[i].running)
			b->ring[i].base = b->dev->rings[i].base;
}

int vu_device_update(struct vu_back *b)
{
	bool any = false;
	int err;

	vu_device_stop(b);
	for (unsigned i = 0; i < b->dev->n_rings; i++) {
		b->ring[i].running = ring_runnable(b, i);
		any |= b->ring[i].running;
		fill_ring(b, i);
	}
	if (!any)
		return 0;
	b->dev->gm = b->gm;
	b->started = true;
	err = b->dev->ops->start(b->dev, b->features);
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
