// SPDX-License-Identifier: MIT
#include "vmm/devices/virtio_blk/blk_back.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define RING_SIZE 128 /* QEMU's vhost-user-blk has as many */

/* ---- statistics ---- */

/* Once the VMM has made its page; it is sealed then, so that nobody cuts it under us. */
static void find_page(struct blk_back *b)
{
	struct stat st;
	void *p;

	if (b->page || b->stats_fd < 0 || fstat(b->stats_fd, &st) < 0 ||
	    (size_t)st.st_size < sizeof(struct stats_page))
		return;
	p = mmap(NULL, sizeof(struct stats_page), PROT_READ | PROT_WRITE, MAP_SHARED, b->stats_fd, 0);
	if (p != MAP_FAILED)
		b->page = p;
}

static bool is_slot_of(const struct stats_queue *s, unsigned queue)
{
	char name[STATS_NAME], end[16];
	size_t len, end_len;

	memcpy(name, s->name, sizeof(name));
	name[sizeof(name) - 1] = '\0';
	snprintf(end, sizeof(end), " req%u", queue);
	len = strlen(name);
	end_len = strlen(end);
	return len > end_len && !strcmp(name + len - end_len, end);
}

/* The queue's place in the VMM's page, or its own. */
static struct stats_queue *stats_of(struct blk_back *b, unsigned queue)
{
	find_page(b);
	for (unsigned i = 0; b->page && i < STATS_QUEUES; i++)
		if (is_slot_of(&b->page->now.queue[i], queue))
			return &b->page->now.queue[i];
	return &b->vu.ring[queue].own_stats;
}

/* ---- the device ---- */

static int blk_start(struct vu_device *d, uint64_t features)
{
	struct blk_back *b = d->priv;

	vblk_begin(&b->blk, d->gm, features);
	for (unsigned i = 0; i < d->n_rings; i++) {
		if (!d->rings[i].ready)
			continue;
		d->rings[i].stats = stats_of(b, i);
		vblk_queue_start(&b->blk.q[i], &d->rings[i]);
	}
	return 0;
}

static void blk_stop(struct vu_device *d)
{
	struct blk_back *b = d->priv;

	for (unsigned i = 0; i < d->n_rings; i++)
		if (d->rings[i].ready)
			d->rings[i].base = vblk_queue_finish(&b->blk.q[i]);
}

static int blk_config_write(struct vu_device *d, uint32_t off, const uint8_t *data, uint32_t len)
{
	struct blk_back *b = d->priv;

	if (!(b->blk.offered & VIRTIO_BIT(VIRTIO_BLK_F_CONFIG_WCE)))
		return -EOPNOTSUPP;
	return vblk_config_write(&b->blk, off, len, data[0]);
}

static void blk_reset(struct vu_device *d)
{
	struct blk_back *b = d->priv;

	vblk_reset(&b->blk);
}

static const struct vu_device_ops device_ops = {blk_start, blk_stop, blk_config_write, blk_reset};

static void on_call(struct vblk *blk, unsigned queue)
{
	vu_back_call(&container_of(blk, struct blk_back, blk)->vu, queue);
}

static void on_broken(struct vblk *blk, unsigned queue)
{
	vu_back_broken(&container_of(blk, struct blk_back, blk)->vu, queue);
}

static const struct vblk_ops queue_ops = {on_call, on_broken};

int blk_back_init(struct blk_back *b, struct threads *threads, const struct dev_opts *opts, int stats_fd)
{
	int err;

	*b = (struct blk_back){.vu.sock = -1, .vu.own_fds = -1, .stats_fd = stats_fd};
	b->blk.ops = &queue_ops;
	b->blk.name = "vhost-user-blk";
	b->blk.threads = threads;
	b->blk.ring_max = VIRTQ_SIZE_MAX;
	b->blk.keep_order = true;
	err = vblk_open(&b->blk, opts, RING_SIZE);
	if (err)
		return err;
	b->dev = (struct vu_device){
		.ops = &device_ops,
		.priv = b,
		.features = b->blk.offered,
		.queues = b->blk.n_queues,
		.n_rings = b->blk.n_queues,
		.rings = b->rings,
		.config = &b->blk.config,
		.config_len = VBLK_CONFIG_LEN,
	};
	return vu_back_init(&b->vu, &b->dev);
}

void blk_back_exit(struct blk_back *b)
{
	if (b->dev.ops)
		vu_back_exit(&b->vu);
	vblk_close(&b->blk);
	if (b->page)
		munmap(b->page, sizeof(*b->page));
	b->page = NULL;
}
