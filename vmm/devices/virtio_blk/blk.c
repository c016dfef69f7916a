// SPDX-License-Identifier: MIT
#include "vmm/devices/virtio_blk/blk.h"

#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

#define RING_SIZE 256
#define SECTOR	  512u
#define POLL_US	  50

#define B(name) VIRTIO_BIT(VIRTIO_BLK_F_##name)

/* Knobs that take features away. */
static const struct virtio_knob knobs[] = {
	{"flush", B(FLUSH)},	 {"config_wce", B(CONFIG_WCE)},	    {"discard", B(DISCARD)},
	{"topology", B(TOPOLOGY)}, {"write_zeroes", B(WRITE_ZEROES)},
};

/* ---- start and stop ---- */

/*
 * 5.2.6.2: a driver that can say so decides whether writes may stay in a cache; one that cannot
 * even flush must not find them there.
 */
static void set_through(struct vblk *b)
{
	bool through = !virtio_has(&b->vd, VIRTIO_BLK_F_FLUSH);

	if (virtio_has(&b->vd, VIRTIO_BLK_F_CONFIG_WCE))
		through = !b->config.wce;
	__atomic_store_n(&b->through, through, __ATOMIC_RELAXED);
}

static int vblk_queue_up(struct virtio_dev *vd, unsigned i)
{
	struct vblk *b = vd->priv;

	vblk_queue_start(&b->q[i]);
	return 0;
}

static void vblk_queue_down(struct virtio_dev *vd, unsigned i)
{
	struct vblk *b = vd->priv;

	vblk_queue_stop(&b->q[i]);
}

static int vblk_start(struct virtio_dev *vd)
{
	struct vblk *b = vd->priv;

	if (!virtio_has(vd, VIRTIO_BLK_F_FLUSH))
		b->config.wce = 0; /* 5.2.5.2: a driver that cannot flush finds no write-back cache */
	set_through(b);
	for (unsigned i = 0; i < b->n_queues; i++)
		if (vd->q[i].enabled)
			vblk_queue_start(&b->q[i]);
	return 0;
}

static void vblk_stop(struct virtio_dev *vd)
{
	struct vblk *b = vd->priv;

	for (unsigned i = 0; i < b->n_queues; i++)
		vblk_queue_stop(&b->q[i]);
	b->config.wce = disk_info(b->disk)->write_back;
}

static void vblk_config_write(struct virtio_dev *vd, unsigned off, unsigned len, uint64_t val)
{
	struct vblk *b = vd->priv;

	if (off != offsetof(struct virtio_blk_config, wce) || len != 1 || val > 1 ||
	    !virtio_has(vd, VIRTIO_BLK_F_CONFIG_WCE))
		return;
	b->config.wce = (uint8_t)val;
	set_through(b);
}

static const struct virtio_ops vblk_ops = {
	.id = VIRTIO_ID_BLOCK,
	.pci_class = 0x010000,
	.start = vblk_start,
	.stop = vblk_stop,
	.queue_start = vblk_queue_up,
	.queue_stop = vblk_queue_down,
	.config_write = vblk_config_write,
};

/* ---- set-up ---- */

static int offer_features(struct vblk *b, const struct dev_opts *o)
{
	const struct disk_info *info = disk_info(b->disk);
	uint64_t f = B(SIZE_MAX) | B(SEG_MAX) | B(BLK_SIZE) | B(TOPOLOGY) | VIRTIO_RING_BITS;

	f |= info->write_back ? B(FLUSH) | B(CONFIG_WCE) : 0;
	f |= info->read_only ? B(RO) : B(WRITE_ZEROES);
	f |= info->discard ? B(DISCARD) : 0;
	f |= b->n_queues > 1 ? B(MQ) : 0;
	if (virtio_switch_off(o, knobs, ARRAY_SIZE(knobs), &f))
		return -EINVAL;
	if (!(f & B(FLUSH)))
		f &= ~B(CONFIG_WCE); /* 5.2.5.2: the one is not offered without the other */
	b->vd.offered = f;
	return 0;
}

/* A request of all segments at their longest is no longer than the medium takes. */
static uint32_t size_max(uint32_t segs)
{
	uint32_t size = 64 * 1024;

	while ((uint64_t)size * 2 * segs <= DISK_LEN_MAX)
		size *= 2;
	return size;
}

static void fill_config(struct vblk *b, unsigned ring_size)
{
	const struct disk_info *info = disk_info(b->disk);
	uint32_t segs = ring_size - 2; /* besides the header and the status */

	b->config = (struct virtio_blk_config){
		.capacity = info->size / SECTOR,
		.size_max = size_max(segs),
		.seg_max = segs,
		.blk_size = info->block,
		.physical_block_exp = (uint8_t)__builtin_ctz(info->physical / info->block),
		.min_io_size = (uint16_t)(info->physical / info->block),
		.wce = info->write_back,
		.num_queues = (uint16_t)b->n_queues,
		.max_discard_sectors = VBLK_RANGE_MAX / SECTOR,
		.max_discard_seg = VBLK_RANGES_MAX,
		.discard_sector_alignment = info->discard / SECTOR,
		.max_write_zeroes_sectors = VBLK_ZERO_MAX / SECTOR,
		.max_write_zeroes_seg = 1,
		.write_zeroes_may_unmap = info->discard != 0,
	};
	b->vd.config = &b->config;
	b->vd.config_len = offsetof(struct virtio_blk_config, max_secure_erase_sectors);
}

static void name_queues(struct vblk *b, uint64_t size)
{
	b->vd.n_queues = b->n_queues;
	for (unsigned i = 0; i < b->n_queues; i++) {
		snprintf(b->q_name[i], sizeof(b->q_name[i]), "req%u", (uint8_t)i);
		b->vd.q[i].name = b->q_name[i];
		b->vd.q[i].max_size = (uint16_t)size;
	}
}

static int parse_sizes(struct vblk *b, const struct dev_opts *o, uint64_t *size, uint64_t *poll_us)
{
	uint64_t queues = 1;

	if (dev_opts_u64(o, "queues", &queues, 1, VBLK_QUEUES_MAX) ||
	    virtio_ring_size(b->vd.pci, o, size) ||
	    dev_opts_u64(o, "poll_us", poll_us, 0, 1000000))
		return -EINVAL;
	b->n_queues = (unsigned)queues;
	return 0;
}

static int open_queues(struct vblk *b, uint64_t poll_ns)
{
	int err = 0;

	for (unsigned i = 0; i < b->n_queues && !err; i++) {
		b->q[i] = (struct vblk_queue){.blk = b, .index = i, .stats = b->vd.q[i].stats};
		err = vblk_queue_open(&b->q[i], poll_ns);
	}
	return err;
}

static int vblk_init(struct pci_dev *pci, const struct dev_opts *opts)
{
	struct vblk *b = calloc(1, sizeof(*b));
	uint64_t size = RING_SIZE, poll_us = POLL_US;
	int err;

	if (!b)
		return -ENOMEM;
	pci->priv = b;
	_Static_assert(offsetof(struct vblk, vd) == 0,
		       "the transport finds its device through pci->priv");
	b->vd.pci = pci;
	b->vd.priv = b;
	b->vd.ops = &vblk_ops;
	err = parse_sizes(b, opts, &size, &poll_us);
	if (!err)
		err = disk_open(&b->disk, opts, pci->name);
	if (!err)
		err = offer_features(b, opts);
	if (err)
		return err;
	fill_config(b, (unsigned)size);
	name_queues(b, size);
	err = virtio_init(&b->vd, pci, opts);
	if (!err)
		err = open_queues(b, poll_us * NSEC_PER_USEC);
	return err;
}

static void vblk_exit(struct pci_dev *pci)
{
	struct vblk *b = pci->priv;

	if (!b)
		return;
	for (unsigned i = 0; i < b->n_queues; i++)
		if (b->q[i].thread)
			io_thread_unwatch(b->q[i].thread, b->vd.q[i].kick_fd);
	virtio_exit(&b->vd);
	for (unsigned i = 0; i < b->n_queues; i++)
		vblk_queue_close(&b->q[i]);
	disk_close(b->disk);
	free(b);
	pci->priv = NULL;
}

const struct pci_ops virtio_blk_ops = {
	.name = "virtio-blk",
	.init = vblk_init,
	.exit = vblk_exit,
	VIRTIO_PCI_OPS,
};
