/* SPDX-License-Identifier: MIT */
/* The PCI core as the machine sees it: one root bus, 32 single-function devices, no bridges. */
#ifndef VMM_PCI_CORE_H
#define VMM_PCI_CORE_H

#include "vmm/pci/pci.h"

#define PCI_SLOTS 32

/* Where things lie; ACPI tells the guest the same (docs/vmm.md). */
#define PCI_MEM32_START  0xc0000000ull
#define PCI_MEM32_END    0xe0000000ull
#define PCI_ECAM_BASE    0xe0000000ull
#define PCI_ECAM_SIZE    (1ull << 20) /* bus 0 only */
#define PCI_MEM64_START  0x4000000000ull /* 256 GiB: within 39 physical address bits */
#define PCI_MEM64_END    0x5000000000ull
#define PCI_IO_START     0xc000ull
#define PCI_IO_END       0x10000ull
#define PCI_INTX_GSI     16 /* devices take GSI 16..23 in turn, by slot */
#define PCI_INTX_LINES   8

struct pci_core {
	struct vm *vm;
	struct pci_dev *dev[PCI_SLOTS];
	uint32_t cf8; /* last address written to the index port */
	uint64_t next_mem32, next_mem64, next_io; /* firmware's BAR assignment */
	pthread_mutex_t line_lock;
	unsigned line_users[PCI_INTX_LINES]; /* devices that assert the line */
};

int pci_core_create(struct pci_core **out, struct vm *vm);
/* Ends all devices, while the rest of the machine is still there. */
void pci_end_all(struct pci_core *core);
void pci_core_destroy(struct pci_core *core);
/* Put a device into the next free slot. Reads all options of opts. 0 or -errno (logged). */
int pci_attach(struct pci_core *core, const struct pci_ops *ops, const struct dev_opts *opts,
	       struct pci_dev **out);
/* As firmware leaves it: BARs assigned, decoding off, interrupts off, devices reset. */
void pci_reset_all(struct pci_core *core);
/* The host bridge at 00:00.0, ECAM and the CF8/CFC ports. */
int pci_host_init(struct pci_core *core);

static inline unsigned pci_dev_gsi(const struct pci_dev *dev)
{
	return PCI_INTX_GSI + (dev->devfn >> 3) % PCI_INTX_LINES;
}

uint32_t pci_cfg_read(struct pci_dev *dev, unsigned off, unsigned len);
void pci_cfg_write(struct pci_dev *dev, unsigned off, unsigned len, uint32_t val);

/* bar.c */
int pci_bars_assign(struct pci_dev *dev);
/* After a write to COMMAND or a BAR. */
void pci_bars_update(struct pci_dev *dev);
/* Back to the address that firmware chose. */
void pci_bars_restore(struct pci_bar *bar);
void pci_bars_unmap(struct pci_dev *dev);
void pci_bars_free(struct pci_dev *dev);

/* msix.c. True when the access fell on the table or the pending bits. */
bool pci_msix_access(struct pci_dev *dev, int bar, uint64_t off, unsigned len, uint64_t *val,
		     bool write);

/* irq.c */
/* The control word of the capability; 0 when the device has none. */
uint16_t pci_msix_control(const struct pci_dev *dev);
int pci_vectors_alloc(struct pci_dev *dev, unsigned n);
/* Bring one vector in line with masks, address and switches. Under irq_lock. */
void pci_vector_refresh(struct pci_dev *dev, unsigned v);
/* Bring routes and irqfds in line with masks, addresses and switches. */
void pci_irq_refresh(struct pci_dev *dev);
void pci_irq_reset(struct pci_dev *dev);
void pci_irq_free(struct pci_dev *dev);

#endif
