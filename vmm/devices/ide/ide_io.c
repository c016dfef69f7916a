// SPDX-License-Identifier: MIT
/* What the thread does for a command: a block of PIO, a DMA transfer by its table, a flush. */
#include <errno.h>

#include "vmm/devices/ide/ide.h"

/* Physical region descriptor (PIIX3, 2.7). */
struct prd {
	uint32_t base;
	uint16_t bytes; /* 0: 64 KiB */
	uint16_t flags;
};
#define PRD_END 0x8000

static uint8_t error_of(const struct disk_req *io, int err)
{
	switch (err) {
	case 0:
		return 0;
	case -ERANGE:
		return ATA_IDNF;
	case -EROFS:
	case -EINVAL:
		return ATA_ABRT;
	}
	return io->op == DISK_READ ? ATA_UNC : ATA_ABRT;
}

static void count_end(struct ide *d, bool failed)
{
	stats_count(&d->stats->descs, 1);
	if (failed)
		stats_count(&d->stats->errors, 1);
}

/* The command has come to its end on the medium. */
static void command_done(struct ide *d, uint8_t error)
{
	if (d->dma) {
		d->bm_status &= (uint8_t)~BM_ACTIVE;
		d->bm_status |= BM_IRQ;
	}
	count_end(d, error);
	ata_end(d, error);
}

/* A block more to read, or room for one to write. */
static void next_block(struct ide *d)
{
	d->phase = d->op == DISK_READ ? ATA_IN : ATA_OUT;
	d->at = 0;
	d->len = ATA_SECTOR * d->under_way;
	if (d->op == DISK_WRITE)
		d->len = ATA_SECTOR * MIN(d->block, d->left);
	d->status = ATA_DRDY | ATA_DSC | ATA_DRQ;
	ide_irq(d, true);
}

static void io_done(struct disk_req *io, int err)
{
	struct ide *d = container_of(io, struct ide, io);

	vm_flush_posted(d->pci->vm);
	pthread_mutex_lock(&d->lock);
	if (d->phase != ATA_BUSY)
		goto out;
	if (err && d->op != DISK_FLUSH)
		ata_name_sector(d, d->sector, d->ext);
	d->sector += d->under_way;
	d->left -= d->under_way;
	if (err || d->dma || d->op == DISK_FLUSH || (d->op == DISK_WRITE && !d->left)) {
		command_done(d, error_of(io, err));
		goto out;
	}
	if (d->op == DISK_READ && !d->left)
		count_end(d, false); /* what is left is the guest's */
	next_block(d);
out:
	pthread_mutex_unlock(&d->lock);
}

/* Each entry is fetched once. 0, or -EFAULT for a table that is too short or leads nowhere. */
static int map_table(struct ide *d, uint64_t bytes)
{
	gpa_t at = d->bm_table;
	bool end = false;

	d->io.n_iov = 0;
	for (; bytes && !end && d->io.n_iov < ATA_PRDS; at += sizeof(struct prd)) {
		struct prd prd;
		uint64_t part;
		void *p;

		if (gmem_read(d->pci->gm, at, &prd, sizeof(prd)))
			return -EFAULT;
		part = MIN(bytes, or_usual(prd.bytes & 0xfffe, 65536));
		p = gmem_ptr(d->pci->gm, prd.base & ~1u, part);
		if (!p)
			return -EFAULT;
		d->iov[d->io.n_iov++] = (struct iovec){p, part};
		bytes -= part;
		end = prd.flags & PRD_END;
	}
	return bytes ? -EFAULT : 0;
}

/* True: the request is to be submitted. */
static bool begin_io(struct ide *d)
{
	bool moves = d->op != DISK_FLUSH;

	d->under_way = d->dma ? d->left : MIN(d->block, d->left);
	if (!moves)
		d->under_way = 0;
	d->io = (struct disk_req){.op = d->op, .done = io_done, .iov = d->iov, .n_iov = moves};
	d->io.at = d->sector * ATA_SECTOR;
	d->io.len = (uint64_t)d->under_way * ATA_SECTOR;
	d->io.durable = d->op == DISK_WRITE && !d->write_cache;
	d->iov[0] = (struct iovec){d->buf, d->io.len};
	if (d->dma && (!pci_bus_master(d->pci) || map_table(d, d->io.len))) {
		d->bm_status |= BM_ERROR;
		stats_count(&d->stats->bad, 1);
		command_done(d, ATA_ABRT);
		return false;
	}
	if (d->op == DISK_FLUSH)
		stats_count(&d->stats->flushes, 1);
	stats_count(&d->stats->bytes, d->io.len);
	return true;
}

static bool io_wanted(struct ide *d)
{
	bool begin;

	vm_flush_posted(d->pci->vm);
	pthread_mutex_lock(&d->lock);
	begin = d->wanted && begin_io(d);
	d->wanted = false;
	pthread_mutex_unlock(&d->lock);
	return begin;
}

bool ide_serve(void *arg)
{
	struct ide *d = arg;
	unsigned work = disk_reap(d->queue);

	if (!disk_in_flight(d->queue) && io_wanted(d)) {
		disk_submit(d->queue, &d->io);
		work++;
	}
	disk_push(d->queue);
	work += disk_reap(d->queue);
	__atomic_store_n(&d->stats->host_requests, disk_host_requests(d->queue), __ATOMIC_RELAXED);
	return work;
}

bool ide_arm(void *arg)
{
	struct ide *d = arg;
	bool more = disk_arm(d->queue);

	pthread_mutex_lock(&d->lock);
	more |= d->wanted && !disk_in_flight(d->queue);
	pthread_mutex_unlock(&d->lock);
	return more;
}
