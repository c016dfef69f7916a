// SPDX-License-Identifier: MIT
#include "vmm/devices/ide/ide.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/log.h"

#define PORTS	  0x1f0 /* of the primary channel */
#define CONTROL	  0x3f6
#define LINE	  14
#define BM_BAR	  4
#define POLL_US	  50
#define IDETIM	  0x40	 /* configuration: a word a channel */
#define IDETIM_ON 0x8000 /* the channel answers */

enum { DATA, FEATURE, COUNT, LBA0, LBA1, LBA2, DEVICE, COMMAND };
enum { BM_COMMAND = 0, BM_STATUS = 2, BM_TABLE = 4 };

#define SECOND_DEVICE 0x10 /* of the device register: there is none */

/* IRQ 14 is edge-triggered; reading the status takes it back. */
void ide_irq(struct ide *d, bool raised)
{
	bool was = d->irq && !(d->control & ATA_NIEN), is = raised && !(d->control & ATA_NIEN);

	d->irq = raised;
	if (is && !was)
		stats_count(&d->stats->interrupts, 1);
	if (is != was)
		vm_irq_line(d->pci->vm, LINE, is);
}

void ide_want(struct ide *d)
{
	d->phase = ATA_BUSY;
	d->status = ATA_BSY;
	d->wanted = d->asked = true;
}

/* ---- reset ---- */

static void stop_here(void *arg)
{
	struct ide *d = arg;

	pthread_mutex_lock(&d->lock);
	d->wanted = false;
	pthread_mutex_unlock(&d->lock);
	disk_drain(d->queue);
}

/* On the control thread: nothing is with the medium any more, and the registers are as after power-on. */
static void reset_disk(void *arg)
{
	struct ide *d = arg;

	io_thread_call(d->thread, stop_here, d);
	pthread_mutex_lock(&d->lock);
	ide_wait_idle(d);
	ata_reset(d);
	pthread_mutex_unlock(&d->lock);
}

/* ---- the channel's ports ---- */

static void write_control(struct ide *d, uint8_t val)
{
	bool irq = d->irq, reset = val & ATA_SRST && !(d->control & ATA_SRST);

	ide_irq(d, false);
	d->control = val & (ATA_NIEN | ATA_SRST | ATA_HOB);
	ide_irq(d, irq);
	if (!reset)
		return;
	pthread_mutex_unlock(&d->lock); /* the thread takes it to finish what it is at */
	vm_control(d->pci->vm, reset_disk, d);
	pthread_mutex_lock(&d->lock);
}

static void write_pair(uint8_t pair[2], uint8_t val)
{
	pair[1] = pair[0];
	pair[0] = val;
}

static void write_register(struct ide *d, uint64_t off, uint8_t val)
{
	if (d->phase != ATA_IDLE)
		return; /* a disk that is at something takes nothing */
	d->control &= (uint8_t)~ATA_HOB;
	switch (off) {
	case FEATURE:
		d->feature = val;
		break;
	case COUNT:
		write_pair(d->count, val);
		break;
	case LBA0:
	case LBA1:
	case LBA2:
		write_pair(d->lba[off - LBA0], val);
		break;
	case DEVICE:
		d->device = val;
		break;
	case COMMAND:
		if (!(d->device & SECOND_DEVICE) && !(d->control & ATA_SRST))
			ata_command(d, val);
		break;
	}
}

static void port_write(void *arg, uint64_t off, unsigned len, uint64_t val)
{
	struct ide *d = arg;

	pthread_mutex_lock(&d->lock);
	if (off == DATA)
		ata_data_write(d, len, (uint32_t)val);
	else if (len == 1)
		write_register(d, off, (uint8_t)val);
	ide_go_on(d);
}

/* The status alone; of a second disk, which is not there, nothing. */
static uint8_t status_of(const struct ide *d)
{
	return d->device & SECOND_DEVICE ? 0 : d->status;
}

static uint8_t read_register(struct ide *d, uint64_t off)
{
	bool hob = d->control & ATA_HOB;

	switch (off) {
	case FEATURE:
		return d->error;
	case COUNT:
		return d->count[hob];
	case LBA0:
	case LBA1:
	case LBA2:
		return d->lba[off - LBA0][hob];
	case DEVICE:
		return d->device | 0xa0;
	}
	ide_irq(d, false);
	return status_of(d);
}

static uint64_t port_read(void *arg, uint64_t off, unsigned len)
{
	struct ide *d = arg;
	uint64_t val = UINT64_MAX;

	pthread_mutex_lock(&d->lock);
	if (off == DATA)
		val = ata_data_read(d, len);
	else if (len == 1)
		val = read_register(d, off);
	ide_go_on(d);
	return val;
}

static void control_write(void *arg, uint64_t off, unsigned len, uint64_t val)
{
	struct ide *d = arg;

	(void)off;
	(void)len;
	pthread_mutex_lock(&d->lock);
	write_control(d, (uint8_t)val);
	pthread_mutex_unlock(&d->lock);
}

static uint64_t control_read(void *arg, uint64_t off, unsigned len)
{
	struct ide *d = arg;
	uint64_t val;

	(void)off;
	(void)len;
	pthread_mutex_lock(&d->lock);
	val = status_of(d);
	pthread_mutex_unlock(&d->lock);
	return val;
}

/* ---- the bus master (PIIX3, 2.7) ---- */

static void write_bm_command(struct ide *d, uint8_t val)
{
	uint8_t old = d->bm_command;

	d->bm_command = val & (BM_START | BM_TO_MEMORY);
	if (!(val & BM_START))
		d->bm_status &= (uint8_t)~BM_ACTIVE;
	if (!(val & BM_START) || old & BM_START)
		return;
	d->bm_status |= BM_ACTIVE;
	ata_dma_started(d);
}

static void bm_write(void *arg, uint64_t off, unsigned len, uint64_t val)
{
	struct ide *d = arg;

	pthread_mutex_lock(&d->lock);
	if (off == BM_COMMAND)
		write_bm_command(d, (uint8_t)val);
	else if (off == BM_STATUS)
		d->bm_status = (uint8_t)((d->bm_status & BM_ACTIVE) | (val & BM_CAPABLE) |
					 (d->bm_status & (BM_ERROR | BM_IRQ) & ~val));
	else if (off == BM_TABLE && len == 4)
		d->bm_table = (uint32_t)val & ~3u;
	ide_go_on(d);
}

static void ide_bar_write(struct pci_dev *pci, int bar, uint64_t off, unsigned len, uint64_t val)
{
	if (bar == BM_BAR)
		bm_write(pci->priv, off, len, val);
}

static uint64_t ide_bar_read(struct pci_dev *pci, int bar, uint64_t off, unsigned len)
{
	struct ide *d = pci->priv;
	uint64_t val = 0;

	(void)len;
	if (bar != BM_BAR)
		return 0;
	pthread_mutex_lock(&d->lock);
	if (off == BM_COMMAND)
		val = d->bm_command;
	else if (off == BM_STATUS)
		val = d->bm_status;
	else if (off == BM_TABLE)
		val = d->bm_table;
	pthread_mutex_unlock(&d->lock);
	return val;
}

/*
 * The table and what takes back the status do nothing until a command or a start, which return to the VMM, or
 * until a command ends (ide_io.c).
 */
static void ide_bar_moved(struct pci_dev *pci, int bar, uint64_t base)
{
	struct ide *d = pci->priv;

	if (bar != BM_BAR || !d->posted)
		return;
	vm_unpost_ports(pci->vm, d->bm_base, d);
	d->bm_base = base;
	if (!base)
		return;
	vm_post_ports(pci->vm, base, BM_STATUS, 1, bm_write, d);
	vm_post_ports(pci->vm, base, BM_TABLE, 4, bm_write, d);
}

static void ide_reset(struct pci_dev *pci)
{
	struct ide *d = pci->priv;

	vm_control(pci->vm, reset_disk, d);
	pthread_mutex_lock(&d->lock);
	ide_irq(d, false);
	d->control = d->bm_command = d->bm_status = 0;
	d->bm_table = 0;
	pthread_mutex_unlock(&d->lock);
}

/* ---- set-up ---- */

static void name_registers(struct ide *d)
{
	static const char *const names[] = {"data", "feature", "count",	 "lba0",
					    "lba1", "lba2",    "device", "command"};
	char name[STATS_NAME];

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(name, sizeof(name), "%s %s", d->pci->name, names[i]);
		vm_stats_region(d->pci->vm, name, true, PORTS + i, i ? 1 : 2);
	}
	snprintf(name, sizeof(name), "%s control", d->pci->name);
	vm_stats_region(d->pci->vm, name, true, CONTROL, 1);
	pci_name_reg(d->pci, BM_BAR, BM_COMMAND, 1, "DMA start");
	pci_name_reg(d->pci, BM_BAR, BM_STATUS, 1, "DMA status");
	pci_name_reg(d->pci, BM_BAR, BM_TABLE, 4, "DMA table");
}

static int map_ports(struct ide *d)
{
	static const struct bus_ops ports = {"ide", port_read, port_write};
	static const struct bus_ops control = {"ide control", control_read, control_write};
	int err = vm_map(d->pci->vm, true, PORTS, 8, &ports, d);

	if (!err)
		err = vm_map(d->pci->vm, true, CONTROL, 1, &control, d);
	return err;
}

/* What says how a command is meant does nothing without it. */
static void post_address(struct ide *d)
{
	if (d->posted && vm_post_ports(d->pci->vm, PORTS, FEATURE, COMMAND - FEATURE, port_write, d))
		log_warn("%s: this host's KVM keeps no writes of ports: posted=off", d->pci->name);
}

static int open_thread(struct ide *d, uint64_t poll_ns)
{
	static const struct io_thread_ops ops = {ide_serve, ide_arm};
	int err = disk_queue_open(&d->queue, d->disk, 1), fd;

	d->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!err && d->kick_fd < 0)
		err = -errno;
	if (!err)
		err = io_thread_create(&d->thread, vm_threads(d->pci->vm), d->pci->name, poll_ns, &ops, d);
	if (err)
		return err;
	fd = disk_queue_fd(d->queue);
	err = io_thread_watch(d->thread, d->kick_fd, &d->stats->kicks);
	if (!err && fd >= 0)
		err = io_thread_watch(d->thread, fd, NULL);
	return err;
}

static int open_disk(struct ide *d, const struct dev_opts *opts)
{
	int err = disk_open(&d->disk, opts, d->pci->name);

	if (err || disk_info(d->disk)->block == ATA_SECTOR)
		return err;
	log_error("%s: a medium with blocks of %u bytes; this disk has sectors of 512: use mode=virtio-blk or nvme, or direct=off",
		  d->pci->name, disk_info(d->disk)->block);
	return -EINVAL;
}

static int make_function(struct ide *d)
{
	int err;

	/* Both channels at the ports of old, bus master; the second channel is off. */
	pci_set_id(d->pci, 0x8086, 0x7010, 0x1af4, 0x1100, 0x01018000);
	d->pci->cfg[IDETIM + 1] = IDETIM_ON >> 8;
	memset(d->pci->wmask + IDETIM, 0xff, 4);
	err = pci_add_bar(d->pci, BM_BAR, PCI_BAR_IO, 16);
	if (!err)
		err = map_ports(d);
	return err;
}

static int read_options(struct ide *d, const struct dev_opts *opts, uint64_t *poll_us)
{
	static const char *const io_words[] = {"auto", "vcpu", "thread", NULL}; /* enum ide_io */
	int err = dev_opts_u64(opts, "poll_us", poll_us, 0, 1000000);

	d->dma_knob = d->posted = true;
	if (!err)
		err = dev_opts_bool(opts, "dma", &d->dma_knob);
	if (!err)
		err = dev_opts_bool(opts, "posted", &d->posted);
	if (!err)
		err = dev_opts_word(opts, "io", io_words, &d->io);
	return err;
}

static int ide_init(struct pci_dev *pci, const struct dev_opts *opts)
{
	struct ide *d = calloc(1, sizeof(*d));
	uint64_t poll_us = POLL_US;
	char name[STATS_NAME];
	int err;

	if (!d)
		return -ENOMEM;
	pci->priv = d;
	d->pci = pci;
	d->kick_fd = -1;
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->idle, NULL);
	err = read_options(d, opts, &poll_us);
	if (!err)
		err = open_disk(d, opts);
	if (err)
		return err;
	snprintf(name, sizeof(name), "%s ch0", pci->name);
	d->stats = vm_stats_queue(pci->vm, name);
	ata_reset(d);
	err = make_function(d);
	if (!err)
		err = open_thread(d, poll_us * NSEC_PER_USEC);
	if (err)
		return err;
	post_address(d);
	name_registers(d);
	return 0;
}

static void ide_exit(struct pci_dev *pci)
{
	struct ide *d = pci->priv;

	if (!d)
		return;
	vm_unpost_ports(pci->vm, PORTS, d);
	vm_unmap(pci->vm, true, PORTS, d);
	vm_unmap(pci->vm, true, CONTROL, d);
	if (d->thread)
		io_thread_call(d->thread, stop_here, d);
	io_thread_destroy(d->thread);
	disk_queue_close(d->queue);
	disk_close(d->disk);
	close_fd(&d->kick_fd);
	pthread_cond_destroy(&d->idle);
	pthread_mutex_destroy(&d->lock);
	free(d);
	pci->priv = NULL;
}

const struct pci_ops ide_ops = {
	.name = "ide",
	.init = ide_init,
	.bar_read = ide_bar_read,
	.bar_write = ide_bar_write,
	.bar_moved = ide_bar_moved,
	.reset = ide_reset,
	.exit = ide_exit,
};
