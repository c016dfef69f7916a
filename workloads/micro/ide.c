// SPDX-License-Identifier: MIT
/*
 * An IDE disk at the ports of old, by bus master DMA where the disk says that it can, else by PIO in
 * blocks of as many sectors as it takes. One request at a time, its end polled.
 */
#include <string.h>

#include "workloads/micro/blk.h"

#define CLASS_IDE 0x0101
#define DATA	  0x1f0
#define CONTROL	  0x3f6
#define PAGE	  4096u
#define READY_NS  (5000 * NS_PER_MS)

enum { FEATURE = 1, COUNT, LBA0, LBA1, LBA2, DEVICE, COMMAND };
enum { ERR = 1, DRQ = 8, BSY = 0x80 };
enum { LBA_MODE = 0x40, NO_IRQ = 2 };
enum { BM_COMMAND = 0, BM_STATUS = 2, BM_TABLE = 4 };
enum { BM_START = 1, BM_TO_MEMORY = 8, BM_ERROR = 2, BM_IRQ = 4 };

struct prd {
	uint32_t base;
	uint16_t bytes, flags;
};

struct ide {
	uint16_t bm; /* 0: no DMA */
	unsigned multiple;
	struct prd *table;
	/* The request. */
	bool under_way, dma;
	unsigned slot, left; /* words of PIO */
	enum blk_op op;
	uint16_t *buf;
};

static uint8_t status_now(void)
{
	return inb(DATA + COMMAND);
}

/* Not busy; false when that takes too long. */
static bool wait_ready(void)
{
	uint64_t end = rdtsc() + ns_to_tsc(READY_NS);

	while (inb(CONTROL) & BSY)
		if (rdtsc() > end)
			return false;
	return true;
}

static void in_words(uint16_t *buf, unsigned n)
{
	n /= 2; /* two at a time: half of the exits */
	__asm__ volatile("rep insl" : "+D"(buf), "+c"(n) : "d"((uint16_t)DATA) : "memory");
}

static void out_words(const uint16_t *buf, unsigned n)
{
	n /= 2;
	__asm__ volatile("rep outsl" : "+S"(buf), "+c"(n) : "d"((uint16_t)DATA) : "memory");
}

/* The older byte of each pair first (LBA48). */
static void write_address(uint64_t sector, unsigned sectors)
{
	outb(DATA + COUNT, (uint8_t)(sectors >> 8));
	outb(DATA + COUNT, (uint8_t)sectors);
	for (unsigned i = 0; i < 3; i++) {
		outb((uint16_t)(DATA + LBA0 + i), (uint8_t)(sector >> (24 + 8 * i)));
		outb((uint16_t)(DATA + LBA0 + i), (uint8_t)(sector >> 8 * i));
	}
	outb(DATA + DEVICE, LBA_MODE);
}

static void fill_table(struct ide *d, uint64_t buf, unsigned bytes)
{
	unsigned i = 0;

	for (; bytes; i++) {
		unsigned part = MIN(bytes, 65536 - (unsigned)(buf % 65536));

		d->table[i] = (struct prd){(uint32_t)buf, (uint16_t)part, 0};
		buf += part;
		bytes -= part;
	}
	d->table[i - 1].flags = 0x8000;
}

static void start_dma(struct ide *d, uint64_t sector, unsigned sectors)
{
	uint8_t to_memory = d->op == BLK_READ ? BM_TO_MEMORY : 0;

	fill_table(d, (uint64_t)d->buf, sectors * 512);
	outl((uint16_t)(d->bm + BM_TABLE), (uint32_t)(uint64_t)d->table);
	outb((uint16_t)(d->bm + BM_STATUS), BM_ERROR | BM_IRQ);
	outb((uint16_t)(d->bm + BM_COMMAND), to_memory);
	write_address(sector, sectors);
	outb(DATA + COMMAND, d->op == BLK_READ ? 0x25 : 0x35);
	outb((uint16_t)(d->bm + BM_COMMAND), to_memory | BM_START);
}

/* As much of a write as the disk wants now. */
static void write_block(struct ide *d)
{
	unsigned n = MIN(d->left, d->multiple * 256);

	out_words(d->buf, n);
	d->buf += n;
	d->left -= n;
}

static void start_pio(struct ide *d, uint64_t sector, unsigned sectors)
{
	d->left = sectors * 256;
	write_address(sector, sectors);
	outb(DATA + COMMAND, d->op == BLK_READ ? 0x29 : 0x39);
	if (d->op == BLK_WRITE && wait_ready() && inb(CONTROL) & DRQ)
		write_block(d);
}

static void ide_request(struct blk *b, unsigned slot, enum blk_op op, uint64_t sector, unsigned sectors,
			void *buf)
{
	struct ide *d = b->priv;

	d->under_way = true;
	d->slot = slot;
	d->op = op;
	d->buf = buf;
	d->dma = d->bm && op != BLK_FLUSH;
	b->kicks++;
	if (op == BLK_FLUSH)
		outb(DATA + COMMAND, 0xea);
	else if (d->dma)
		start_dma(d, sector, sectors);
	else
		start_pio(d, sector, sectors);
}

/* The next block of PIO. False: there is none, or the disk has given up. */
static bool next_block(struct ide *d, uint8_t status)
{
	unsigned n = MIN(d->left, d->multiple * 256);

	if (d->op == BLK_FLUSH || status & ERR || !d->left || !(status & DRQ))
		return false;
	if (d->op == BLK_WRITE) {
		write_block(d);
		return true;
	}
	in_words(d->buf, n);
	d->buf += n;
	d->left -= n;
	return d->left;
}

static void ide_turn(struct blk *b, uint64_t until, blk_done_fn fn, void *arg)
{
	struct ide *d = b->priv;
	uint8_t status;
	bool ok;

	(void)until;
	if (!d->under_way || inb(CONTROL) & BSY)
		return;
	status = status_now();
	if (!d->dma && next_block(d, status))
		return;
	ok = !(status & ERR);
	if (d->dma) {
		ok &= !(inb((uint16_t)(d->bm + BM_STATUS)) & BM_ERROR);
		outb((uint16_t)(d->bm + BM_COMMAND), 0);
	} else if (d->op != BLK_FLUSH) {
		ok &= !d->left;
	}
	d->under_way = false;
	fn(arg, d->slot, ok);
}

static bool identify(struct blk *b, struct ide *d)
{
	uint16_t word[256];

	outb(CONTROL, NO_IRQ);
	outb(DATA + DEVICE, LBA_MODE);
	outb(DATA + COMMAND, 0xec);
	if (!wait_ready() || !(status_now() & DRQ))
		return false;
	in_words(word, 256);
	b->sectors = word[100] | (uint64_t)word[101] << 16 | (uint64_t)word[102] << 32;
	b->flush = word[83] & 1 << 13;
	d->multiple = word[47] & 0xff;
	if (!(word[49] & 0x100))
		d->bm = 0;
	outb(DATA + COUNT, (uint8_t)d->multiple);
	outb(DATA + COMMAND, 0xc6);
	return wait_ready() && !(status_now() & ERR) && d->multiple;
}

static bool find_ide(struct pci_dev *pci)
{
	for (unsigned slot = 0; slot < 32; slot++) {
		struct pci_dev dev = {.slot = (uint8_t)slot};

		if (pci_read(&dev, 0, 2) != 0xffff && pci_read(&dev, 10, 2) == CLASS_IDE)
			return pci_find(pci, (uint16_t)pci_read(&dev, 0, 2), (uint16_t)pci_read(&dev, 2, 2));
	}
	return false;
}

bool ide_init(struct blk *b)
{
	static const struct blk_ops ops = {"ide", ide_request, ide_turn};
	struct pci_dev pci;
	struct ide *d;

	if (!find_ide(&pci))
		return false;
	b->ops = &ops;
	d = b->priv = mem_alloc(sizeof(*d), 64);
	if (!d)
		return true;
	d->bm = (uint16_t)pci.bar[4];
	d->table = mem_alloc(PAGE, PAGE);
	b->slots = 1;
	b->max_sectors = 2048;
	if (d->table && !identify(b, d))
		report_fail("ide: the disk does not say what it is (status %x)", status_now());
	return true;
}
