/* SPDX-License-Identifier: MIT */
/* PCI devices of bus 0, through the ports CF8/CFC. BARs are where firmware or the VMM put them. */
#ifndef WORKLOADS_MICRO_PCI_H
#define WORKLOADS_MICRO_PCI_H

#include "workloads/micro/micro.h"

#define PCI_BARS 6

struct pci_dev {
	uint8_t slot;
	uint16_t vendor, device;
	uint64_t bar[PCI_BARS]; /* address or port; 0: none */
	bool bar_is_port[PCI_BARS];
	uint64_t msix_table; /* 0: no MSI-X */
};

enum {
	PCI_COMMAND_IO = 1,
	PCI_COMMAND_MEM = 2,
	PCI_COMMAND_MASTER = 4,
	PCI_CAP_VENDOR = 9,
	PCI_CAP_MSIX = 0x11,
	PCI_REG_COMMAND = 4,
	PCI_REG_BAR0 = 0x10,
};

uint32_t pci_read(const struct pci_dev *dev, unsigned reg, unsigned len);
void pci_write(const struct pci_dev *dev, unsigned reg, unsigned len, uint32_t v);

/* The first one with these IDs (device 0xffff: any); decoding and bus mastering are switched on. */
bool pci_find(struct pci_dev *dev, uint16_t vendor, uint16_t device);
/* The next capability of this kind after offset from (0: the first). 0: no more. */
unsigned pci_cap(const struct pci_dev *dev, uint8_t id, unsigned from);
/* Vector v interrupts this CPU as irq; MSI-X is switched on. false when there is no MSI-X. */
bool pci_msix_route(struct pci_dev *dev, unsigned v, unsigned irq);

#endif
