// SPDX-License-Identifier: MIT
/* What a driver sees of the medium of a virtio-blk: features, configuration, the switches of both. */
#include <errno.h>

#include "base/clock.h"
#include "vmm/devices/virtio_blk/blk.h"

#define SECTOR	512u
#define POLL_US 50

#define B(name) VIRTIO_BIT(VIRTIO_BLK_F_##name)

int vblk_switch_off(const struct dev_opts *opts, uint64_t *features)
{
	static const struct virtio_knob knobs[] = {
		{"flush", B(FLUSH)},	   {"config_wce", B(CONFIG_WCE)},	 {"discard", B(DISCARD)},
		{"topology", B(TOPOLOGY)}, {"write_zeroes", B(WRITE_ZEROES)},
	};

	return virtio_switch_off(opts, knobs, ARRAY_SIZE(knobs), features);
}

/* ---- the cache ---- */

/*
 * 5.2.6.2: a driver that can say so decides whether writes may stay in a cache; one that cannot
 * even flush must not find them there.
 */
static void set_through(struct vblk *b)
{
	bool through = !(b->features & B(FLUSH));

	if (b->features & B(CONFIG_WCE))
		through = !b->config.wce;
	__atomic_store_n(&b->through, through, __ATOMIC_RELAXED);
}

void vblk_begin(struct vblk *b, const struct gmem *gm, uint64_t features)
{
	b->gm = gm;
	b->features = features;
	if (!(features & B(FLUSH)))
		b->config.wce = 0; /* 5.2.5.2: a driver that cannot flush finds no write-back cache */
	set_through(b);
}

void vblk_reset(struct vblk *b)
{
	b->config.wce = disk_info(b->disk)->write_back;
}

int vblk_config_write(struct vblk *b, unsigned off, unsigned len, uint64_t val)
{
	if (off != offsetof(struct virtio_blk_config, wce) || len != 1 || val > 1)
		return -EINVAL;
	b->config.wce = (uint8_t)val;
	set_through(b);
	return 0;
}

/* ---- set-up ---- */

static int offer_features(struct vblk *b, const struct dev_opts *o)
{
	const struct disk_info *info = disk_info(b->disk);
	uint64_t f = B(SIZE_MAX) | B(SEG_MAX) | B(BLK_SIZE) | B(TOPOLOGY) | VIRTIO_RING_BITS;

	f |= info->write_back ? B(FLUSH) | B(CONFIG_WCE) : 0;
	f |= info->read_only ? B(RO) : B(WRITE_ZEROES);
	f |= info->discard ? B(DISCARD) : 0;
	f |= b->n_queues > 1 ? B(MQ) : 0;
	if (vblk_switch_off(o, &f))
		return -EINVAL;
	if (!(f & B(FLUSH)))
		f &= ~B(CONFIG_WCE); /* 5.2.5.2: the one is not offered without the other */
	b->offered = f;
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

static void fill_config(struct vblk *b)
{
	const struct disk_info *info = disk_info(b->disk);
	uint32_t segs = (uint32_t)b->ring_size - 2; /* besides the header and the status */

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
}

static int parse_sizes(struct vblk *b, const struct dev_opts *o, uint64_t *poll_us)
{
	uint64_t queues = 1;

	if (dev_opts_u64(o, "queues", &queues, 1, VBLK_QUEUES_MAX) ||
	    virtio_ring_size(b->name, o, &b->ring_size) || dev_opts_u64(o, "poll_us", poll_us, 0, 1000000))
		return -EINVAL;
	b->n_queues = (unsigned)queues;
	if (!b->ring_max)
		b->ring_max = (unsigned)b->ring_size;
	return 0;
}

static int open_queues(struct vblk *b, uint64_t poll_ns)
{
	int err = 0;

	for (unsigned i = 0; i < b->n_queues && !err; i++) {
		b->q[i] = (struct vblk_queue){.blk = b, .index = i};
		err = vblk_queue_open(&b->q[i], poll_ns);
	}
	return err;
}

int vblk_open(struct vblk *b, const struct dev_opts *opts, uint64_t ring_size)
{
	uint64_t poll_us = POLL_US;
	int err;

	b->ring_size = ring_size;
	err = parse_sizes(b, opts, &poll_us);
	if (!err)
		err = disk_open(&b->disk, opts, b->name);
	if (!err)
		err = offer_features(b, opts);
	if (err)
		return err;
	fill_config(b);
	return open_queues(b, poll_us * NSEC_PER_USEC);
}

void vblk_close(struct vblk *b)
{
	for (unsigned i = 0; i < b->n_queues; i++)
		vblk_queue_close(&b->q[i]);
	disk_close(b->disk);
	b->disk = NULL;
}
