// SPDX-License-Identifier: MIT
/*
 * Class 15: configuration space and BARs at every offset and width, MSI-X tables full of nonsense, BARs on
 * top of others.
 */
#include "workloads/micro/hostile.h"

#define ECAM      0xe0000000ull
#define CFG_BYTES 256
#define CFG_FULL  4096
#define CF8       0xcf8
#define CFC       0xcfc

static struct pci_dev card;
static uint32_t saved[CFG_BYTES / 4];

static void save_config(void)
{
	if (!pci_find(&card, VIRTIO_VENDOR, VIRTIO_ID_NET))
		pci_find(&card, 0x8086, 0x100e);
	for (unsigned i = 0; i < CFG_BYTES / 4; i++)
		saved[i] = pci_read(&card, 4 * i, 4);
}

/* Command last: BARs move while they are not decoded. */
static void restore_config(void)
{
	pci_write(&card, PCI_REG_COMMAND, 2, 0);
	for (unsigned i = 2; i < CFG_BYTES / 4; i++)
		pci_write(&card, 4 * i, 4, saved[i]);
	pci_write(&card, PCI_REG_COMMAND, 2, saved[1] & 0xffff);
}

static void touch_port(unsigned off, unsigned len, bool write)
{
	outl(CF8, 0x80000000u | (uint32_t)card.slot << 11 | (off & 0xfc));
	if (write && len == 1)
		outb((uint16_t)(CFC + (off & 3)), (uint8_t)hostile_random());
	else if (write && len == 2)
		outw((uint16_t)(CFC + (off & 3)), (uint16_t)hostile_random());
	else if (write)
		outl((uint16_t)(CFC + (off & 3)), (uint32_t)hostile_random());
	else if (len == 1)
		inb((uint16_t)(CFC + (off & 3)));
	else if (len == 2)
		inw((uint16_t)(CFC + (off & 3)));
	else
		inl((uint16_t)(CFC + (off & 3)));
}

static void touch_address(uint64_t addr, unsigned len, bool write)
{
	uint64_t v = hostile_random();

	hostile_cases++;
	if (write && len == 1)
		mmio_write8(addr, (uint8_t)v);
	else if (write && len == 2)
		mmio_write16(addr, (uint16_t)v);
	else if (write && len == 4)
		mmio_write32(addr, (uint32_t)v);
	else if (write)
		mmio_write64(addr, v);
	else if (len == 1)
		mmio_read8(addr);
	else if (len == 2)
		mmio_read16(addr);
	else if (len == 4)
		mmio_read32(addr);
	else
		mmio_read64(addr);
}

/*
 * Through the ports with every width at every byte, those that straddle a register included; through ECAM
 * likewise.
 */
static void config_space(void)
{
	save_config();
	for (unsigned pass = 0; pass < 2; pass++) {
		for (unsigned off = 0; off < CFG_BYTES; off++) {
			for (unsigned len = 1; len <= 4; len *= 2, hostile_cases++)
				touch_port(off, len, pass);
			if (off % 16 == 15)
				restore_config();
		}
		for (unsigned off = 0; off < CFG_FULL; off += step_after(off, CFG_BYTES, 61))
			for (unsigned len = 1; len <= 8; len *= 2)
				touch_address(ECAM + ((uint64_t)card.slot << 15) + off, len, pass);
		restore_config();
	}
}

static uint64_t bar_size(unsigned i)
{
	uint32_t mask;

	pci_write(&card, PCI_REG_COMMAND, 2, 0);
	pci_write(&card, PCI_REG_BAR0 + 4 * i, 4, 0xffffffff);
	mask = pci_read(&card, PCI_REG_BAR0 + 4 * i, 4) & ~0xfu;
	restore_config();
	return (uint32_t)-mask;
}

/* Around the start, the end and at strides in between; unaligned and across the end too. */
static void around_bars(void)
{
	save_config();
	for (unsigned i = 0; i < PCI_BARS; i++) {
		uint64_t size = 0, step;

		if (card.bar[i] && !card.bar_is_port[i])
			size = bar_size(i);
		for (uint64_t off = 0; off < size; off += step) {
			for (unsigned k = 0; k < 8; k++)
				touch_address(card.bar[i] + off, 1u << k % 4, k >= 4);
			step = 1;
			if (off >= 72 && off + 16 <= size)
				step = MIN(MAX(size / 64, 1) | 1, size - 16 - off + 1);
		}
	}
	restore_config();
}

/* Vectors that go nowhere, or to APICs that are not there; the pending bits are read-only; masks flip. */
static void msix_table(void)
{
	unsigned cap;

	save_config();
	cap = pci_cap(&card, PCI_CAP_MSIX, 0);
	if (!cap)
		return;
	pci_write(&card, cap + 2, 2, 0x8000);
	for (unsigned i = 0; i < 512; i++) {
		uint64_t entry = card.msix_table + i % 128 * 16;

		mmio_write32(entry, (uint32_t)(i % 3 ? bad_addr[i % n_bad_addr] : hostile_random()));
		mmio_write32(entry + 4, (uint32_t)hostile_random());
		mmio_write32(entry + 8, (uint32_t)hostile_random() & 0xffffff00); /* never a vector of ours */
		mmio_write32(entry + 12, i % 4 < 2);
		hostile_cases++;
	}
	for (unsigned i = 0; i < 64; i++)
		pci_write(&card, cap + 2, 2, (uint32_t)hostile_random());
	restore_config();
}

/* BARs over one another, over the APICs, over RAM and ECAM, at the end of the address space. */
static void bars_overlap(void)
{
	save_config();
	for (unsigned i = 0; i < n_bad_addr; i++) {
		pci_write(&card, PCI_REG_COMMAND, 2, 0);
		for (unsigned b = 0; b < PCI_BARS; b++)
			pci_write(&card, PCI_REG_BAR0 + 4 * b, 4,
				  (uint32_t)(bad_addr[i] + (i % 2 == 0) * b * 4096));
		pci_write(&card, PCI_REG_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEM | PCI_COMMAND_MASTER);
		for (unsigned b = 0; b < 4; b++)
			touch_address(or_usual(card.bar[b], ECAM), 4, false);
		restore_config();
	}
	/* RAM must still be RAM where a BAR was put. */
	pci_write(&card, PCI_REG_COMMAND, 2, 0);
	pci_write(&card, PCI_REG_BAR0, 4, 0x200000);
	pci_write(&card, PCI_REG_BAR0 + 4, 4, 0x200000);
	pci_write(&card, PCI_REG_COMMAND, 2, PCI_COMMAND_MEM);
	mmio_write32(0x200000, 0x12345678);
	if (mmio_read32(0x200000) != 0x12345678)
		report_fail("hostile: a BAR hides RAM");
	restore_config();
}

const struct hostile_class hostile_pci[] = {
	{"config-space", ANY_CARD, config_space},
	{"bars", ANY_CARD, around_bars},
	{"msix", VIRTIO_CARD, msix_table},
	{"bars-overlap", ANY_CARD, bars_overlap},
	{NULL, ANY_CARD, NULL},
};
