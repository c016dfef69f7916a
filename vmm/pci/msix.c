// SPDX-License-Identifier: MIT
/* The capabilities for MSI and MSI-X, and the vector table and pending bits as the guest sees them. */
#include <errno.h>
#include <poll.h>

#include "base/log.h"
#include "vmm/core/bus.h"
#include "vmm/pci/core.h"
#include "vmm/pci/regs.h"

#define MSIX_VECTORS 2048
#define MSI_VECTORS  32

int pci_add_msix_at(struct pci_dev *dev, int bar, uint64_t table, int pba_bar, uint64_t pba,
		    unsigned vectors)
{
	uint8_t body[PCI_CAP_MSIX_SIZEOF - 2];
	int at, err;

	if (!vectors || vectors > MSIX_VECTORS || (table | pba) & 7 ||
	    !range_ok(table, vectors * 16ull, dev->bar[bar].size) ||
	    !range_ok(pba, (vectors + 63) / 64 * 8ull, dev->bar[pba_bar].size)) {
		log_error("%s: MSI-X with %u vectors does not fit its BAR", dev->name, vectors);
		return -EINVAL;
	}
	err = pci_vectors_alloc(dev, vectors);
	if (err)
		return err;
	cfg_put16(body, (uint16_t)(vectors - 1));
	cfg_put32(body + 2, (uint32_t)table | (uint32_t)bar);
	cfg_put32(body + 6, (uint32_t)pba | (uint32_t)pba_bar);
	at = pci_add_cap(dev, PCI_CAP_ID_MSIX, body, sizeof(body));
	if (at < 0)
		return at;
	cfg_put16(dev->wmask + at + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	dev->msix_cap = (unsigned)at;
	dev->msix_bar = bar;
	dev->msix_table = table;
	dev->msix_pba_bar = pba_bar;
	dev->msix_pba = pba;
	return 0;
}

int pci_add_msix(struct pci_dev *dev, int bar, unsigned vectors)
{
	uint64_t pba = align_up(vectors * 16ull, 2048), size = 4096;
	int err;

	while (size < pba + 2048)
		size *= 2;
	err = pci_add_bar(dev, bar, PCI_BAR_MEM32, size);
	if (err)
		return err;
	return pci_add_msix_at(dev, bar, 0, bar, pba, vectors);
}

int pci_add_msi(struct pci_dev *dev, unsigned vectors)
{
	uint8_t body[12] = {0}; /* 64-bit address, no per-vector mask */
	int at, err;

	if (!is_pow2(vectors) || vectors > MSI_VECTORS) {
		log_error("%s: %u MSI vectors; want 1, 2, 4, 8, 16 or 32", dev->name, vectors);
		return -EINVAL;
	}
	err = pci_vectors_alloc(dev, vectors);
	if (err)
		return err;
	cfg_put16(body, (uint16_t)(PCI_MSI_FLAGS_64BIT | __builtin_ctz(vectors) << 1));
	at = pci_add_cap(dev, PCI_CAP_ID_MSI, body, sizeof(body));
	if (at < 0)
		return at;
	cfg_put16(dev->wmask + at + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE);
	cfg_put32(dev->wmask + at + PCI_MSI_ADDRESS_LO, 0xfffffffc);
	cfg_put32(dev->wmask + at + PCI_MSI_ADDRESS_HI, 0xffffffff);
	cfg_put16(dev->wmask + at + PCI_MSI_DATA_64, 0xffff);
	dev->msi_cap = (unsigned)at;
	return 0;
}

static uint32_t table_dword(const struct pci_msix_vector *vec, unsigned i)
{
	const uint32_t d[] = {(uint32_t)vec->addr, (uint32_t)(vec->addr >> 32), vec->data,
			      vec->masked};

	return d[i];
}

static void table_dword_set(struct pci_msix_vector *vec, unsigned i, uint32_t val)
{
	switch (i) {
	case 0:
		vec->addr = (vec->addr & ~0xffffffffull) | (val & ~3u);
		break;
	case 1:
		vec->addr = (vec->addr & 0xffffffffull) | (uint64_t)val << 32;
		break;
	case 2:
		vec->data = val;
		break;
	case 3:
		vec->masked = val & PCI_MSIX_ENTRY_CTRL_MASKBIT;
		break;
	}
}

static bool vector_pending(const struct pci_msix_vector *vec)
{
	struct pollfd p = {.fd = vec->irqfd, .events = POLLIN};

	return vec->pending || (vec->irqfd >= 0 && vec->route < 0 && poll(&p, 1, 0) > 0);
}

static uint64_t pba_read(const struct pci_dev *dev, uint64_t off)
{
	uint64_t bits = 0;

	for (unsigned i = 0; i < 64 && off * 8 + i < dev->n_vectors; i++)
		bits |= (uint64_t)vector_pending(&dev->vector[off * 8 + i]) << i;
	return bits;
}

static void table_access(struct pci_dev *dev, uint64_t off, unsigned len, uint64_t *val, bool write)
{
	struct pci_msix_vector *vec = &dev->vector[off / 16];
	unsigned i = off % 16 / 4;

	/* Only whole dwords and quadwords are defined (PCI 3.0, 6.8.2). */
	if (len < 4)
		return;
	if (!write) {
		*val = table_dword(vec, i);
		if (len == 8)
			*val |= (uint64_t)table_dword(vec, i + 1) << 32;
		return;
	}
	table_dword_set(vec, i, (uint32_t)*val);
	if (len == 8)
		table_dword_set(vec, i + 1, (uint32_t)(*val >> 32));
	pci_vector_refresh(dev, (unsigned)(off / 16));
}

bool pci_msix_access(struct pci_dev *dev, int bar, uint64_t off, unsigned len, uint64_t *val,
		     bool write)
{
	unsigned vectors = dev->msix_cap ? (pci_msix_control(dev) & PCI_MSIX_FLAGS_QSIZE) + 1 : 0;
	bool table = vectors && bar == dev->msix_bar && off >= dev->msix_table &&
		     range_ok(off - dev->msix_table, len, vectors * 16ull);
	bool pba = vectors && bar == dev->msix_pba_bar && off >= dev->msix_pba &&
		   range_ok(off - dev->msix_pba, len, (vectors + 63) / 64 * 8ull);

	if (!table && !pba)
		return false;
	pthread_mutex_lock(&dev->irq_lock);
	if (table)
		table_access(dev, off - dev->msix_table, len, val, write);
	else if (!write)
		*val = pba_read(dev, (off - dev->msix_pba) & ~7ull) >> (off % 8 * 8) &
		       bus_ones(len);
	pthread_mutex_unlock(&dev->irq_lock);
	if (table && write && dev->ops->irq_changed)
		dev->ops->irq_changed(dev, (int)((off - dev->msix_table) / 16));
	return true;
}
