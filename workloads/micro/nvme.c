// SPDX-License-Identifier: MIT
/* NVMe 1.4: the admin queue and one pair; a slot has a page of its own for its list of pages. */
#include <string.h>

#include "workloads/micro/blk.h"

#define CLASS_NVME 0x010802
#define ENTRIES	   BLK_SLOTS
#define PAGE	   4096u
#define READY_NS   (2000 * NS_PER_MS)

enum { REG_CC = 0x14, REG_CSTS = 0x1c, REG_AQA = 0x24, REG_ASQ = 0x28, REG_ACQ = 0x30, REG_BELLS = 0x1000 };
enum { ADMIN_CREATE_SQ = 1, ADMIN_CREATE_CQ = 5, ADMIN_IDENTIFY = 6, ADMIN_SHADOW = 0x7c };
enum { IO_FLUSH, IO_WRITE, IO_READ, IO_DATASET = 9 };

#define CC_ON	       0x460001 /* entries of 64 and 16 bytes */
#define SHADOW_OFFERED (1u << 8)

struct command {
	uint32_t head, nsid, unused[4];
	uint64_t prp1, prp2;
	uint32_t dw[6];
};

struct completion {
	uint32_t result, unused;
	uint16_t head, queue, id, status;
};

struct queue {
	struct command *sq;
	volatile struct completion *cq;
	unsigned id, size, tail, head, rung_tail, rung_head;
	uint16_t phase;
};

struct nvme {
	uint64_t regs;
	struct queue admin, io;
	volatile uint32_t *shadow, *event; /* NULL: registers */
	unsigned block;			   /* bytes */
	uint64_t (*list)[PAGE / 8];
};

static bool queue_alloc(struct queue *q, unsigned id, unsigned size)
{
	*q = (struct queue){.id = id, .size = size, .phase = 1};
	q->sq = mem_alloc(size * sizeof(*q->sq), PAGE);
	q->cq = mem_alloc(size * sizeof(*q->cq), PAGE);
	return q->sq && q->cq;
}

/* True: the device wanted a register write. */
static bool ring_bell(struct nvme *d, struct queue *q, bool is_cq, unsigned *rung, unsigned val)
{
	unsigned i = 2 * q->id + is_cq, old = *rung;
	bool ring = true;

	*rung = val;
	if (q->id && d->shadow) {
		__atomic_store_n(&d->shadow[i], val, __ATOMIC_RELEASE);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		ring = (uint16_t)(val - d->event[i] - 1) < (uint16_t)(val - old);
	}
	if (ring)
		mmio_write32(d->regs + REG_BELLS + 4 * i, val);
	return ring;
}

static struct command *next_command(struct queue *q)
{
	struct command *c = &q->sq[q->tail];

	q->tail = (q->tail + 1) % q->size;
	memset(c, 0, sizeof(*c));
	return c;
}

static bool next_completion(struct queue *q, uint16_t *id, bool *ok)
{
	volatile struct completion *c = &q->cq[q->head];
	uint16_t status = __atomic_load_n(&c->status, __ATOMIC_ACQUIRE);

	if ((status & 1) != q->phase)
		return false;
	*id = c->id;
	*ok = !(status >> 1);
	q->head = (q->head + 1) % q->size;
	if (!q->head)
		q->phase ^= 1;
	return true;
}

static bool admin_run(struct nvme *d, uint8_t opcode, uint32_t nsid, const void *prp1, const void *prp2,
		      uint32_t dw10, uint32_t dw11)
{
	uint64_t end = rdtsc() + ns_to_tsc(READY_NS);
	struct command *c = next_command(&d->admin);
	bool ok = false;
	uint16_t id;

	c->head = opcode;
	c->nsid = nsid;
	c->prp1 = (uint64_t)prp1;
	c->prp2 = (uint64_t)prp2;
	c->dw[0] = dw10;
	c->dw[1] = dw11;
	ring_bell(d, &d->admin, false, &d->admin.rung_tail, d->admin.tail);
	while (!next_completion(&d->admin, &id, &ok))
		if (rdtsc() > end)
			return false;
	ring_bell(d, &d->admin, true, &d->admin.rung_head, d->admin.head);
	return ok;
}

static bool enable(struct nvme *d)
{
	uint64_t end = rdtsc() + ns_to_tsc(READY_NS);

	mmio_write32(d->regs + REG_CC, 0);
	while (mmio_read32(d->regs + REG_CSTS) & 1)
		if (rdtsc() > end)
			return false;
	mmio_write32(d->regs + REG_AQA, (d->admin.size - 1) << 16 | (d->admin.size - 1));
	mmio_write32(d->regs + REG_ASQ, (uint32_t)(uint64_t)d->admin.sq);
	mmio_write32(d->regs + REG_ASQ + 4, 0);
	mmio_write32(d->regs + REG_ACQ, (uint32_t)(uint64_t)d->admin.cq);
	mmio_write32(d->regs + REG_ACQ + 4, 0);
	mmio_write32(d->regs + REG_CC, CC_ON);
	while (!(mmio_read32(d->regs + REG_CSTS) & 1))
		if (rdtsc() > end)
			return false;
	return true;
}

static bool identify(struct blk *b, struct nvme *d)
{
	uint8_t *page = mem_alloc(PAGE, PAGE);
	uint16_t oacs, oncs;
	uint64_t blocks;

	if (!page || !admin_run(d, ADMIN_IDENTIFY, 0, page, NULL, 1, 0))
		return false;
	memcpy(&oacs, page + 256, 2);
	memcpy(&oncs, page + 520, 2);
	b->flush = page[525] & 1;
	b->discard = oncs & 4;
	b->max_sectors = (PAGE << MIN(page[77] ? page[77] : 5, 8)) / 512;
	if (!admin_run(d, ADMIN_IDENTIFY, 1, page, NULL, 0, 0))
		return false;
	memcpy(&blocks, page, 8);
	d->block = 1u << page[130 + 4 * (page[26] & 15)];
	b->sectors = blocks * (d->block / 512);
	if (oacs & SHADOW_OFFERED) {
		d->shadow = mem_alloc(PAGE, PAGE);
		d->event = mem_alloc(PAGE, PAGE);
		if (!d->event ||
		    !admin_run(d, ADMIN_SHADOW, 0, (void *)d->shadow, (void *)d->event, 0, 0))
			return false;
	}
	return true;
}

static bool nvme_start(struct blk *b, struct nvme *d)
{
	uint32_t size = (ENTRIES - 1) << 16 | 1;

	b->slots = ENTRIES - 1;
	return queue_alloc(&d->admin, 0, 16) && queue_alloc(&d->io, 1, ENTRIES) && enable(d) &&
	       identify(b, d) && admin_run(d, ADMIN_CREATE_CQ, 0, (void *)d->io.cq, NULL, size, 1) &&
	       admin_run(d, ADMIN_CREATE_SQ, 0, d->io.sq, NULL, size, 1 << 16 | 1);
}

static bool find_nvme(struct pci_dev *pci)
{
	for (unsigned slot = 0; slot < 32; slot++) {
		struct pci_dev dev = {.slot = (uint8_t)slot};

		if (pci_read(&dev, 0, 2) != 0xffff && pci_read(&dev, 8, 4) >> 8 == CLASS_NVME)
			return pci_find(pci, (uint16_t)pci_read(&dev, 0, 2), (uint16_t)pci_read(&dev, 2, 2));
	}
	return false;
}

/* Buffers begin at a page and lie in one piece. */
static void point_to(struct nvme *d, struct command *c, unsigned slot, uint64_t buf, unsigned bytes)
{
	unsigned pages = (bytes + PAGE - 1) / PAGE;

	c->prp1 = buf;
	if (pages == 2)
		c->prp2 = buf + PAGE;
	if (pages <= 2)
		return;
	for (unsigned i = 1; i < pages; i++)
		d->list[slot][i - 1] = buf + (uint64_t)i * PAGE;
	c->prp2 = (uint64_t)d->list[slot];
}

static void nvme_request(struct blk *b, unsigned slot, enum blk_op op, uint64_t sector, unsigned sectors,
			 void *buf)
{
	static const uint8_t opcode[] = {IO_READ, IO_WRITE, IO_FLUSH, IO_DATASET};
	struct nvme *d = b->priv;
	struct command *c = next_command(&d->io);
	uint64_t lba = sector * 512 / d->block;

	c->head = opcode[op] | slot << 16;
	c->nsid = 1;
	if (op == BLK_READ || op == BLK_WRITE) {
		c->dw[0] = (uint32_t)lba;
		c->dw[1] = (uint32_t)(lba >> 32);
		c->dw[2] = sectors * 512 / d->block - 1;
		point_to(d, c, slot, (uint64_t)buf, sectors * 512);
	} else if (op == BLK_DISCARD) {
		d->list[slot][0] = (uint64_t)(sectors * 512 / d->block) << 32;
		d->list[slot][1] = lba;
		c->prp1 = (uint64_t)d->list[slot];
		c->dw[1] = 4;
	}
}

static void nvme_turn(struct blk *b, uint64_t until, blk_done_fn fn, void *arg)
{
	struct nvme *d = b->priv;
	unsigned n = 0;
	uint16_t id;
	bool ok;

	(void)until;
	if (d->io.tail != d->io.rung_tail)
		b->kicks += ring_bell(d, &d->io, false, &d->io.rung_tail, d->io.tail);
	for (; next_completion(&d->io, &id, &ok); n++)
		fn(arg, id % BLK_SLOTS, ok);
	if (n)
		b->kicks += ring_bell(d, &d->io, true, &d->io.rung_head, d->io.head);
}

bool nvme_init(struct blk *b)
{
	static const struct blk_ops ops = {"nvme", nvme_request, nvme_turn};
	struct pci_dev pci;
	struct nvme *d;

	if (!find_nvme(&pci))
		return false;
	b->ops = &ops;
	d = b->priv = mem_alloc(sizeof(*d), 64);
	if (!d)
		return true;
	d->regs = pci.bar[0];
	d->list = mem_alloc(BLK_SLOTS * sizeof(*d->list), PAGE);
	if (d->list && !nvme_start(b, d))
		report_fail("nvme: the controller cannot be set up (status %x)",
			    mmio_read32(d->regs + REG_CSTS));
	return true;
}
