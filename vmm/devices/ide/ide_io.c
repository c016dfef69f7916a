// SPDX-License-Identifier: MIT
/* What is done for a command: a block of PIO, a DMA transfer by its table, a flush. */
#include <errno.h>

#include "base/clock.h"
#include "vmm/core/eventfd.h"
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

void ide_note_speed(struct ide *d, uint64_t ns)
{
	d->quick = ns > IDE_QUICK_NS ? 0 : MIN(d->quick + 1, IDE_QUICK_RUN);
}

static bool request_small(const struct ide *d)
{
	return d->op != DISK_FLUSH && d->req.len <= IDE_SMALL;
}

static void leave_medium(struct ide *d)
{
	d->at_medium = false;
	pthread_cond_broadcast(&d->idle);
}

void ide_wait_idle(struct ide *d)
{
	d->wanted = false;
	while (d->at_medium)
		pthread_cond_wait(&d->idle, &d->lock);
}

static void io_done(struct disk_req *io, int err)
{
	struct ide *d = container_of(io, struct ide, req);

	vm_flush_posted(d->pci->vm);
	pthread_mutex_lock(&d->lock);
	leave_medium(d);
	if (err)
		d->quick = 0;
	else if (request_small(d))
		ide_note_speed(d, clock_ns() - d->begun_ns);
	stats_count(&d->stats->bytes, io->len);
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

	d->req.n_iov = 0;
	for (; bytes && !end && d->req.n_iov < ATA_PRDS; at += sizeof(struct prd)) {
		struct prd prd;
		uint64_t part;
		void *p;

		if (gmem_read(d->pci->gm, at, &prd, sizeof(prd)))
			return -EFAULT;
		part = MIN(bytes, or_usual(prd.bytes & 0xfffe, 65536));
		p = gmem_ptr(d->pci->gm, prd.base & ~1u, part);
		if (!p)
			return -EFAULT;
		d->iov[d->req.n_iov++] = (struct iovec){p, part};
		bytes -= part;
		end = prd.flags & PRD_END;
	}
	return bytes ? -EFAULT : 0;
}

/* Sectors that the next request moves: all by DMA, by PIO a block. */
static uint32_t next_sectors(const struct ide *d)
{
	if (d->op == DISK_FLUSH)
		return 0;
	return d->dma ? d->left : MIN(d->block, d->left);
}

/* True: the request is to be submitted. */
static bool begin_io(struct ide *d)
{
	bool moves = d->op != DISK_FLUSH;

	d->under_way = next_sectors(d);
	d->req = (struct disk_req){.op = d->op, .done = io_done, .iov = d->iov, .n_iov = moves};
	d->req.at = d->sector * ATA_SECTOR;
	d->req.len = (uint64_t)d->under_way * ATA_SECTOR;
	d->req.durable = d->op == DISK_WRITE && !d->write_cache;
	d->iov[0] = (struct iovec){d->buf, d->req.len};
	if (d->dma && (!pci_bus_master(d->pci) || map_table(d, d->req.len))) {
		d->bm_status |= BM_ERROR;
		stats_count(&d->stats->bad, 1);
		command_done(d, ATA_ABRT);
		return false;
	}
	if (d->op == DISK_FLUSH)
		stats_count(&d->stats->flushes, 1);
	d->begun_ns = clock_ns();
	return true;
}

/* With the lock held. True: the request is the caller's, to be taken to the medium. */
static bool take_wanted(struct ide *d)
{
	if (!d->wanted || d->at_medium)
		return false;
	d->wanted = false;
	d->at_medium = begin_io(d);
	return d->at_medium;
}

/* ---- on the vCPU that wants it ---- */

/*
 * A vCPU is kept from its guest until the medium has answered: no longer than an exit and the waking of a
 * thread would, if the medium goes on as it did.
 */
static bool done_here(const struct ide *d)
{
	uint64_t bytes = (uint64_t)ATA_SECTOR * next_sectors(d);

	if (d->io == IDE_THREAD || d->op == DISK_FLUSH)
		return false;
	return d->io == IDE_VCPU || (d->quick == IDE_QUICK_RUN && bytes <= IDE_SMALL);
}

/* The thread does it anew, and finds out what is wrong. */
static void hand_over(struct ide *d)
{
	pthread_mutex_lock(&d->lock);
	d->quick = 0;
	d->wanted = true;
	leave_medium(d);
	pthread_mutex_unlock(&d->lock);
	eventfd_signal_own(d->kick_fd);
}

static void carry_out(struct ide *d)
{
	bool more;

	if (!disk_try(d->disk, &d->req)) {
		hand_over(d);
		return;
	}
	io_done(&d->req, 0);
	pthread_mutex_lock(&d->lock);
	stats_count(&d->stats->host_requests, 1);
	more = d->wanted; /* of another vCPU, after a reset */
	pthread_mutex_unlock(&d->lock);
	if (more)
		eventfd_signal_own(d->kick_fd);
}

void ide_go_on(struct ide *d)
{
	bool asked = d->asked, here = asked && done_here(d) && take_wanted(d), kick = asked && d->wanted;

	d->asked = false;
	pthread_mutex_unlock(&d->lock);
	if (here)
		carry_out(d);
	else if (kick)
		eventfd_signal_own(d->kick_fd);
}

/* ---- on the thread ---- */

static bool io_wanted(struct ide *d)
{
	bool begin;

	vm_flush_posted(d->pci->vm);
	pthread_mutex_lock(&d->lock);
	begin = take_wanted(d);
	pthread_mutex_unlock(&d->lock);
	return begin;
}

/* Both kinds of thread count, with the lock held. */
static void count_host_requests(struct ide *d)
{
	uint64_t n = disk_host_requests(d->queue);

	if (n == d->host_requests)
		return;
	pthread_mutex_lock(&d->lock);
	stats_count(&d->stats->host_requests, n - d->host_requests);
	pthread_mutex_unlock(&d->lock);
	d->host_requests = n;
}

bool ide_serve(void *arg)
{
	struct ide *d = arg;
	unsigned work = disk_reap(d->queue);

	if (io_wanted(d)) {
		disk_submit(d->queue, &d->req);
		work++;
	}
	disk_push(d->queue);
	work += disk_reap(d->queue);
	count_host_requests(d);
	return work;
}

bool ide_arm(void *arg)
{
	struct ide *d = arg;
	bool more = disk_arm(d->queue);

	pthread_mutex_lock(&d->lock);
	more |= d->wanted && !d->at_medium;
	pthread_mutex_unlock(&d->lock);
	return more;
}
