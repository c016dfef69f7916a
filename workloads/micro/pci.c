// SPDX-License-Identifier: MIT
#include "workloads/micro/pci.h"

#define CF8    0xcf8
#define CFC    0xcfc
#define ENABLE 0x80000000u
#define SLOTS  32

#define REG_STATUS   6
#define STATUS_CAPS  0x10
#define REG_CAPS     0x34
#define MSIX_ENABLE  0x8000
#define MSIX_ENTRY   16

static void select_register(const struct pci_dev *dev, unsigned reg)
{
	outl(CF8, ENABLE | (uint32_t)dev->slot << 11 | (reg & 0xfc));
}

uint32_t pci_read(const struct pci_dev *dev, unsigned reg, unsigned len)
{
	uint16_t port = (uint16_t)(CFC + (reg & 3));

	select_register(dev, reg);
	if (len == 1)
		return inb(port);
	return len == 2 ? inw(port) : inl(port);
}

void pci_write(const struct pci_dev *dev, unsigned reg, unsigned len, uint32_t v)
{
	uint16_t port = (uint16_t)(CFC + (reg & 3));

	select_register(dev, reg);
	if (len == 1)
		outb(port, (uint8_t)v);
	else if (len == 2)
		outw(port, (uint16_t)v);
	else
		outl(port, v);
}

unsigned pci_cap(const struct pci_dev *dev, uint8_t id, unsigned from)
{
	unsigned at;

	if (!(pci_read(dev, REG_STATUS, 2) & STATUS_CAPS))
		return 0;
	at = pci_read(dev, from ? from + 1 : REG_CAPS, 1) & 0xfc;
	/* A list that loops ends after as many steps as it can have members. */
	for (unsigned i = 0; at && i < 48; i++) {
		if (pci_read(dev, at, 1) == id)
			return at;
		at = pci_read(dev, at + 1, 1) & 0xfc;
	}
	return 0;
}

static void read_bars(struct pci_dev *dev)
{
	for (unsigned i = 0; i < PCI_BARS; i++) {
		uint32_t v = pci_read(dev, PCI_REG_BAR0 + 4 * i, 4);

		dev->bar[i] = 0;
		dev->bar_is_port[i] = v & 1;
		if (v & 1) {
			dev->bar[i] = v & 0xfffc;
			continue;
		}
		dev->bar[i] = v & ~0xfull;
		if ((v & 6) == 4 && i + 1 < PCI_BARS) {
			dev->bar[i] |= (uint64_t)pci_read(dev, PCI_REG_BAR0 + 4 * i + 4, 4) << 32;
			map_high(dev->bar[i], MIB);
			dev->bar[++i] = 0;
		}
	}
}

bool pci_find(struct pci_dev *dev, uint16_t vendor, uint16_t device)
{
	for (unsigned slot = 0; slot < SLOTS; slot++) {
		uint32_t id;
		unsigned cap;

		*dev = (struct pci_dev){.slot = (uint8_t)slot};
		id = pci_read(dev, 0, 4);
		dev->vendor = (uint16_t)id;
		dev->device = (uint16_t)(id >> 16);
		if (dev->vendor != vendor || (device != 0xffff && dev->device != device))
			continue;
		read_bars(dev);
		pci_write(dev, PCI_REG_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEM | PCI_COMMAND_MASTER);
		cap = pci_cap(dev, PCI_CAP_MSIX, 0);
		if (cap) {
			uint32_t table = pci_read(dev, cap + 4, 4);

			dev->msix_table = dev->bar[(table & 7) % PCI_BARS] + (table & ~7u);
		}
		return true;
	}
	return false;
}

bool pci_msix_route(struct pci_dev *dev, unsigned v, unsigned irq)
{
	unsigned cap = pci_cap(dev, PCI_CAP_MSIX, 0);
	uint64_t entry = dev->msix_table + (uint64_t)v * MSIX_ENTRY;

	if (!cap || !dev->msix_table)
		return false;
	mmio_write32(entry, APIC_BASE | apic_id() << 12);
	mmio_write32(entry + 4, 0);
	mmio_write32(entry + 8, VEC_IRQ_BASE + irq);
	mmio_write32(entry + 12, 0); /* not masked */
	pci_write(dev, cap + 2, 2, pci_read(dev, cap + 2, 2) | MSIX_ENABLE);
	return true;
}
