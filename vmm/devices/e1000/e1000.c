// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/devices.h"
#include "vmm/devices/e1000/e1000.h"
#include "vmm/net/mac.h"

#define BOUNCE_SIZE (TX_FRAME_MAX + 64)

/* What a reset gives (13.4). */
static const struct {
	uint16_t off;
	uint32_t value;
} defaults[] = {
	{CTRL, CTRL_SLU | 0x1u /* full duplex */ | 1u << 9 /* 1000 Mb/s */},
	{STATUS, STATUS_FD | STATUS_LU | STATUS_SPEED_1000},
	{PBA, 0x00100030},
	{TIPG, 0x00602008},
	{LEDCTL, 0x07068302},
	{VET, 0x8100},
	{MANC, 0x00000000},
};

static const struct {
	uint16_t off, len;
	const char *name;
} register_names[] = {
	{STATUS, 4, "STATUS"}, {EECD, 4, "EECD"}, {MDIC, 4, "MDIC"},
	{ICR, 4, "ICR"},       {ITR, 4, "ITR"},	  {ICS, 4, "ICS"},
	{IMS, 4, "IMS"},       {IMC, 4, "IMC"},	  {RCTL, 4, "RCTL"},
	{TCTL, 4, "TCTL"},     {RDH, 4, "RDH"},	  {RDT, 4, "RDT"},
	{TDH, 4, "TDH"},       {TDT, 4, "TDT"},	  {STATS_FIRST, 0x100, "statistics"},
};

void e1000_count(struct e1000 *e, unsigned off, uint64_t n)
{
	uint64_t v = (uint64_t)e1000_get(e, off) + n;

	e1000_set(e, off, (uint32_t)MIN(v, UINT32_MAX)); /* statistics stick at their top */
}

void e1000_count_octets(struct e1000 *e, unsigned low, uint64_t n)
{
	uint64_t v = ((uint64_t)e1000_get(e, low + 4) << 32 | e1000_get(e, low)) + n;

	e1000_set(e, low, (uint32_t)v);
	e1000_set(e, low + 4, (uint32_t)(v >> 32));
}

/* Through the MAC (RCTL.LBM) or the PHY (control register, bit 14). */
bool e1000_loopback(const struct e1000 *e)
{
	return (e1000_get(e, RCTL) & RCTL_LBM) == RCTL_LBM || (e->phy[0] & 0x4000);
}

static void set_mac_registers(struct e1000 *e)
{
	uint32_t low, high = 1u << 31; /* address valid */

	memcpy(&low, e->mac, 4);
	high |= (uint32_t)e->mac[4] | (uint32_t)e->mac[5] << 8;
	e1000_set(e, RAL, low);
	e1000_set(e, RAL + 4, high);
}

void e1000_device_reset(struct e1000 *e)
{
	e1000_irq_reset(e);
	memset(e->reg, 0, sizeof(e->reg));
	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++)
		e1000_set(e, defaults[i].off, defaults[i].value);
	set_mac_registers(e);
	e1000_phy_reset(e);
	memset(&e->ee, 0, sizeof(e->ee));
	e1000_tx_reset(e);
}

/* ---- the BARs ---- */

static uint64_t e1000_mmio_read(struct e1000 *e, uint64_t off, unsigned len)
{
	uint32_t v = e1000_reg_read(e, (uint32_t)off & ~3u);

	if (len >= 4)
		return v;
	return v >> (8 * (off & 3)) & ((1u << 8 * len) - 1);
}

/* BAR 1: an index and a window on the same registers (13.2.2). */
static uint64_t e1000_read(struct pci_dev *dev, int bar, uint64_t off, unsigned len)
{
	struct e1000 *e = dev->priv;

	if (!bar)
		return e1000_mmio_read(e, off, len);
	if (off == 0)
		return e->io_addr;
	if (off != 4 || e->io_addr >= E1000_BAR_SIZE)
		return 0;
	return e1000_reg_read(e, e->io_addr & ~3u);
}

static void e1000_write(struct pci_dev *dev, int bar, uint64_t off, unsigned len, uint64_t val)
{
	struct e1000 *e = dev->priv;

	/* Registers are written as words; real hardware ignores other widths too. */
	if (len < 4 || off & 3)
		return;
	if (!bar)
		e1000_reg_write(e, (uint32_t)off, (uint32_t)val);
	else if (off == 0)
		e->io_addr = (uint32_t)val;
	else if (off == 4 && e->io_addr < E1000_BAR_SIZE)
		e1000_reg_write(e, e->io_addr & ~3u, (uint32_t)val);
}

/* ---- life ---- */

static int read_options(struct e1000 *e, const struct dev_opts *o)
{
	static const char *const io_words[] = {"thread", "vcpu", NULL};
	static const char *const irq_words[] = {"intx", NULL};
	uint64_t us = 0;
	int io = 0, irq = 0, err;

	e->coalesce = true;
	e->offload = true;
	err = dev_opts_bool(o, "coalesce", &e->coalesce);
	if (!err)
		err = dev_opts_bool(o, "offload", &e->offload);
	if (!err)
		err = dev_opts_u64(o, "coalesce_us", &us, 0, 1000000);
	if (!err)
		err = dev_opts_word(o, "io", io_words, &io);
	if (!err)
		err = dev_opts_word(o, "irq", irq_words, &irq);
	if (!err)
		err = mac_assign(e->pci, dev_opts_str(o, "mac", NULL), e->mac);
	e->io_vcpu = io == 1;
	e->coalesce_ns = us * 1000;
	dev_opts_str(o, "mode", NULL);
	return err;
}

static int open_tap(struct e1000 *e, const struct dev_opts *o)
{
	/* Without one the card is there with nobody at the other end: loopback and self-tests. */
	if (!dev_opts_str(o, "tap", NULL) && !dev_opts_str(o, "fd", NULL))
		return 0;
	return tap_open_opts(&e->tap, o, e->pci->name, 1);
}

static void on_kick(void *arg, uint32_t events)
{
	struct e1000 *e = arg;
	uint64_t n;

	(void)events;
	if (read(e->kick_fd, &n, sizeof(n)) == sizeof(n))
		e1000_tx_run(e);
}

static int start_io(struct e1000 *e)
{
	int err = evloop_create(&e->loop, vm_threads(e->pci->vm), THREAD_IO, e->pci->name);

	if (err)
		return err;
	e->kick_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	e->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (e->kick_fd < 0 || e->timer_fd < 0) {
		log_error("%s: eventfd: %s", e->pci->name, strerror(errno));
		return -errno;
	}
	err = evloop_add(e->loop, e->kick_fd, EPOLLIN, on_kick, e);
	if (!err)
		err = evloop_add(e->loop, e->timer_fd, EPOLLIN, e1000_irq_timer, e);
	if (!err && e->tap.n) {
		/* The guest's card checks what comes in unfinished; large segments it could not take. */
		err = tap_set_offloads(&e->tap, (uint64_t)e->offload << VIRTIO_NET_F_GUEST_CSUM);
		if (!err)
			err = evloop_add(e->loop, e->tap.fd[0], 0, e1000_rx_readable, e);
	}
	return err;
}

static int add_bars(struct pci_dev *dev)
{
	int err;

	pci_set_id(dev, 0x8086, 0x100e, 0x8086, 0x001e, 0x02000003);
	err = pci_add_bar(dev, 0, PCI_BAR_MEM32, E1000_BAR_SIZE);
	if (!err)
		err = pci_add_bar(dev, 1, PCI_BAR_IO, E1000_IO_SIZE);
	pci_add_intx(dev);
	for (size_t i = 0; i < ARRAY_SIZE(register_names); i++)
		pci_name_reg(dev, 0, register_names[i].off, register_names[i].len,
			     register_names[i].name);
	return err;
}

static struct stats_queue *queue_slot(struct pci_dev *dev, const char *dir)
{
	char name[STATS_NAME];

	snprintf(name, sizeof(name), "%s %s", dev->name, dir);
	return vm_stats_queue(dev->vm, name);
}

static int e1000_init(struct pci_dev *dev, const struct dev_opts *o)
{
	struct e1000 *e = calloc(1, sizeof(*e));
	int err;

	if (!e)
		return -ENOMEM;
	dev->priv = e;
	e->pci = dev;
	e->tap = (struct tap)TAP_INIT;
	e->kick_fd = e->timer_fd = -1;
	pthread_mutex_init(&e->irq_lock, NULL);
	e->tx_stats = queue_slot(dev, "tx");
	e->rx_stats = queue_slot(dev, "rx");
	e->flat = malloc(TX_FRAME_MAX);
	e->bounce = malloc(BOUNCE_SIZE);
	if (!e->flat || !e->bounce)
		return -ENOMEM;
	err = read_options(e, o);
	if (!err)
		err = open_tap(e, o);
	if (!err)
		err = start_io(e);
	if (!err)
		err = add_bars(dev);
	if (err)
		return err;
	e1000_eeprom_init(e);
	e1000_device_reset(e);
	return 0;
}

static void reset_on_loop(void *arg)
{
	e1000_device_reset(arg);
}

static void e1000_reset(struct pci_dev *dev)
{
	struct e1000 *e = dev->priv;

	evloop_call(e->loop, reset_on_loop, e);
}

static void e1000_exit(struct pci_dev *dev)
{
	struct e1000 *e = dev->priv;

	if (!e)
		return;
	if (e->loop)
		evloop_destroy(e->loop);
	close_fd(&e->kick_fd);
	close_fd(&e->timer_fd);
	tap_close(&e->tap);
	pthread_mutex_destroy(&e->irq_lock);
	free(e->flat);
	free(e->bounce);
	free(e);
	dev->priv = NULL;
}

const struct pci_ops e1000_ops = {
	.name = "e1000",
	.init = e1000_init,
	.bar_read = e1000_read,
	.bar_write = e1000_write,
	.reset = e1000_reset,
	.exit = e1000_exit,
};
