// SPDX-License-Identifier: MIT
/* virtio-blk: one queue; a slot is one ring entry, whose indirect table is made once. */
#include <string.h>

#include "workloads/micro/blk.h"
#include "workloads/micro/virtio.h"

#define VIRTIO_ID_BLOCK	      0x1042
#define VIRTIO_BLK_F_SIZE_MAX (1ull << 1)
#define VIRTIO_BLK_F_FLUSH    (1ull << 9)
#define VIRTIO_BLK_F_DISCARD  (1ull << 13)

enum { CONFIG_CAPACITY = 0, CONFIG_SIZE_MAX = 8 };
enum { TYPE_IN = 0, TYPE_OUT = 1, TYPE_FLUSH = 4, TYPE_DISCARD = 11 };

/* Header, data, status: as in a ring (split), or one after the other (packed). */
struct slot {
	union {
		struct vring_desc desc[3];
		struct packed_desc packed[3];
	};
	struct {
		uint32_t type, unused;
		uint64_t sector;
	} header;
	struct {
		uint64_t sector;
		uint32_t sectors, flags;
	} range;
	uint8_t status;
} __attribute__((aligned(64)));

struct vblk {
	struct pci_dev pci;
	struct virtio v;
	struct vq q;
	struct slot *slot;
};

static void slot_segment(const struct vblk *d, struct slot *s, unsigned i, const volatile void *at,
			 uint32_t len, uint16_t flags)
{
	if (d->q.packed)
		s->packed[i] = (struct packed_desc){.addr = (uint64_t)at, .len = len, .flags = flags};
	else
		s->desc[i] = (struct vring_desc){(uint64_t)at, len, flags, (uint16_t)(i + 1)};
}

static bool vblk_start(struct blk *b, struct vblk *d)
{
	uint64_t wanted = VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_PACKED |
			  VIRTIO_F_INDIRECT | VIRTIO_BLK_F_SIZE_MAX | VIRTIO_BLK_F_FLUSH |
			  VIRTIO_BLK_F_DISCARD;

	if (!virtio_open(&d->v, &d->pci) || !virtio_negotiate(&d->v, wanted) ||
	    !virtq_alloc(&d->v, &d->q, 0, BLK_SLOTS))
		return false;
	b->sectors = mmio_read32(d->v.device + CONFIG_CAPACITY) |
		     (uint64_t)mmio_read32(d->v.device + CONFIG_CAPACITY + 4) << 32;
	b->max_sectors = MIB / 512;
	if (d->v.features & VIRTIO_BLK_F_SIZE_MAX)
		b->max_sectors = mmio_read32(d->v.device + CONFIG_SIZE_MAX) / 512;
	b->slots = d->q.size;
	b->flush = d->v.features & VIRTIO_BLK_F_FLUSH;
	b->discard = d->v.features & VIRTIO_BLK_F_DISCARD;
	virtq_program(&d->v, &d->q);
	virtio_set_status(&d->v, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK |
					 VIRTIO_DRIVER_OK);
	return true;
}

static void vblk_request(struct blk *b, unsigned slot, enum blk_op op, uint64_t sector,
			 unsigned sectors, void *buf)
{
	static const uint8_t type[] = {TYPE_IN, TYPE_OUT, TYPE_FLUSH, TYPE_DISCARD};
	struct vblk *d = b->priv;
	struct slot *s = &d->slot[slot];
	uint16_t next = d->q.packed ? 0 : DESC_NEXT; /* in a packed table the order says it */
	unsigned n = 1;

	s->header.type = type[op];
	s->header.sector = op == BLK_FLUSH || op == BLK_DISCARD ? 0 : sector;
	s->status = 0xff;
	slot_segment(d, s, 0, &s->header, sizeof(s->header), next);
	if (op == BLK_READ || op == BLK_WRITE) {
		slot_segment(d, s, n++, buf, sectors * 512,
			     (uint16_t)(next | (op == BLK_READ ? DESC_WRITE : 0)));
	} else if (op == BLK_DISCARD) {
		s->range.sector = sector;
		s->range.sectors = sectors;
		slot_segment(d, s, n++, &s->range, sizeof(s->range), next);
	}
	slot_segment(d, s, n++, &s->status, 1, DESC_WRITE);
	virtq_add(&d->q, (uint16_t)slot, (uint64_t)s->desc, n * (uint32_t)sizeof(s->desc[0]),
		  DESC_INDIRECT);
}

static void vblk_turn(struct blk *b, uint64_t until, blk_done_fn fn, void *arg)
{
	struct vblk *d = b->priv;
	uint32_t len;
	uint16_t id;

	(void)until;
	b->kicks += virtq_publish(&d->q);
	while (virtq_used(&d->q, &id, &len)) {
		id %= BLK_SLOTS;
		fn(arg, id, !*(volatile uint8_t *)&d->slot[id].status);
	}
}

bool virtio_blk_init(struct blk *b)
{
	static const struct blk_ops ops = {"virtio-blk", vblk_request, vblk_turn};
	struct pci_dev pci;
	struct vblk *d;

	if (!pci_find(&pci, VIRTIO_VENDOR, VIRTIO_ID_BLOCK) && !pci_find(&pci, VIRTIO_VENDOR, 0x1001))
		return false;
	b->ops = &ops;
	d = b->priv = mem_alloc(sizeof(*d), 64);
	if (!d)
		return true;
	d->pci = pci;
	d->slot = mem_alloc(BLK_SLOTS * sizeof(*d->slot), 4096);
	if (d->slot && !vblk_start(b, d))
		report_fail("virtio-blk: the device cannot be set up (status %x)",
			    virtio_status(&d->v));
	else if (!(d->v.features & VIRTIO_F_INDIRECT))
		report_fail("virtio-blk: this driver wants indirect descriptors");
	return true;
}
