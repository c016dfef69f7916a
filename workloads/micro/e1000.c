// SPDX-License-Identifier: MIT
/*
 * e1000 (82540EM), legacy descriptors, interrupts masked (PCI/PCI-X Family of Gigabit Ethernet Controllers
 * SDM).
 */
#include <string.h>

#include "workloads/micro/nic.h"

#define INTEL   0x8086
#define I82540  0x100e
#define RING    256

enum {
	REG_CTRL = 0x0000,
	REG_IMC = 0x00d8,
	REG_RCTL = 0x0100,
	REG_TCTL = 0x0400,
	REG_TIPG = 0x0410,
	REG_RDBAL = 0x2800,
	REG_RDBAH = 0x2804,
	REG_RDLEN = 0x2808,
	REG_RDH = 0x2810,
	REG_RDT = 0x2818,
	REG_TDBAL = 0x3800,
	REG_TDBAH = 0x3804,
	REG_TDLEN = 0x3808,
	REG_TDH = 0x3810,
	REG_TDT = 0x3818,
	REG_RAL0 = 0x5400,
	REG_RAH0 = 0x5404,
};

#define CTRL_RST   (1u << 26)
#define CTRL_SLU   (1u << 6)
#define RCTL_SET                                                                                             \
	0x0400801e /* enable, unicast and multicast promiscuous, long off, broadcast, CRC stripped, 2 KiB */
#define TCTL_SET   0x0004010a /* enable, pad short packets, collision threshold and distance */
#define TIPG_SET   0x0060200a
#define TX_CMD_EOP 1
#define TX_CMD_FCS 2
#define TX_CMD_RS  8
#define DD         1
#define RX_EOP     2

struct rx_desc {
	uint64_t addr;
	uint16_t len, csum;
	uint8_t status, errors;
	uint16_t special;
};

struct tx_desc {
	uint64_t addr;
	uint16_t len;
	uint8_t cso, cmd, status, css;
	uint16_t special;
};

struct e1000 {
	uint64_t regs;
	volatile struct rx_desc *rx;
	volatile struct tx_desc *tx;
	uint8_t *rx_buf, *tx_buf;
	unsigned rx_next, tx_next, tx_reap, tx_free;
	bool tx_dirty;
};

static void ring_setup(const struct e1000 *e, unsigned base, uint64_t ring)
{
	mmio_write32(e->regs + base, (uint32_t)ring);
	mmio_write32(e->regs + base + 4, (uint32_t)(ring >> 32));
	mmio_write32(e->regs + base + 8, RING * 16);
	mmio_write32(e->regs + base + 0x10, 0);
	mmio_write32(e->regs + base + 0x18, 0);
}

static bool start_card(struct nic *nic, struct e1000 *e)
{
	uint64_t end = rdtsc() + ns_to_tsc(100 * NS_PER_MS);
	uint32_t low, high;

	mmio_write32(e->regs + REG_CTRL, mmio_read32(e->regs + REG_CTRL) | CTRL_RST);
	while (mmio_read32(e->regs + REG_CTRL) & CTRL_RST)
		if (rdtsc() > end)
			return false;
	mmio_write32(e->regs + REG_IMC, 0xffffffff);
	mmio_write32(e->regs + REG_CTRL, mmio_read32(e->regs + REG_CTRL) | CTRL_SLU);
	low = mmio_read32(e->regs + REG_RAL0);
	high = mmio_read32(e->regs + REG_RAH0);
	memcpy(nic->mac, &low, 4);
	memcpy(nic->mac + 4, &high, 2);
	ring_setup(e, REG_RDBAL, (uint64_t)e->rx);
	ring_setup(e, REG_TDBAL, (uint64_t)e->tx);
	for (unsigned i = 0; i < RING; i++) {
		e->rx[i].addr = (uint64_t)(e->rx_buf + i * NIC_BUF);
		e->tx[i].addr = (uint64_t)(e->tx_buf + i * NIC_BUF);
	}
	mmio_write32(e->regs + REG_RDT, RING - 1);
	mmio_write32(e->regs + REG_TIPG, TIPG_SET);
	mmio_write32(e->regs + REG_TCTL, TCTL_SET);
	mmio_write32(e->regs + REG_RCTL, RCTL_SET);
	e->tx_free = RING - 1;
	return true;
}

static bool e1000_init(struct nic *nic)
{
	struct e1000 *e;

	if (!pci_find(&nic->pci, INTEL, I82540))
		return false;
	e = nic->priv = mem_alloc(sizeof(*e), 64);
	if (!e)
		return true;
	e->regs = nic->pci.bar[0];
	e->rx = mem_alloc(RING * sizeof(*e->rx), 4096);
	e->tx = mem_alloc(RING * sizeof(*e->tx), 4096);
	e->rx_buf = mem_alloc(RING * NIC_BUF, 4096);
	e->tx_buf = mem_alloc(RING * NIC_BUF, 4096);
	if (e->rx && e->tx && e->rx_buf && e->tx_buf && !start_card(nic, e))
		report_fail("e1000: its reset does not end");
	return true;
}

static unsigned e1000_tx_room(struct nic *nic)
{
	struct e1000 *e = nic->priv;

	while (e->tx_free < RING - 1 && e->tx[e->tx_reap].status & DD) {
		e->tx_reap = (e->tx_reap + 1) % RING;
		e->tx_free++;
	}
	return e->tx_free;
}

static uint8_t *e1000_tx_buf(struct nic *nic)
{
	struct e1000 *e = nic->priv;

	return e->tx_buf + e->tx_next * NIC_BUF;
}

static void e1000_tx_push(struct nic *nic, unsigned len)
{
	struct e1000 *e = nic->priv;
	volatile struct tx_desc *d = &e->tx[e->tx_next];

	d->len = (uint16_t)len;
	d->status = 0;
	d->cmd = TX_CMD_EOP | TX_CMD_FCS | TX_CMD_RS;
	e->tx_next = (e->tx_next + 1) % RING;
	e->tx_free--;
	e->tx_dirty = true;
}

static void e1000_tx_kick(struct nic *nic)
{
	struct e1000 *e = nic->priv;

	if (!e->tx_dirty)
		return;
	barrier();
	mmio_write32(e->regs + REG_TDT, e->tx_next);
	e->tx_dirty = false;
	nic->kicks++;
}

static unsigned e1000_rx_poll(struct nic *nic, nic_rx_fn fn, void *arg)
{
	struct e1000 *e = nic->priv;
	unsigned got = 0, last = 0;

	for (; got < RING && e->rx[e->rx_next].status & DD; got++) {
		volatile struct rx_desc *d = &e->rx[e->rx_next];

		if (d->status & RX_EOP && !d->errors && d->len <= NIC_BUF)
			fn(arg, e->rx_buf + e->rx_next * NIC_BUF, d->len);
		d->status = 0;
		last = e->rx_next;
		e->rx_next = (e->rx_next + 1) % RING;
	}
	if (got) {
		barrier();
		mmio_write32(e->regs + REG_RDT, last);
		nic->kicks++;
	}
	return got;
}

const struct nic_ops e1000_ops = {
	.name = "e1000",
	.init = e1000_init,
	.tx_room = e1000_tx_room,
	.tx_buf = e1000_tx_buf,
	.tx_push = e1000_tx_push,
	.tx_kick = e1000_tx_kick,
	.rx_poll = e1000_rx_poll,
};
