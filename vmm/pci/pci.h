/* SPDX-License-Identifier: MIT */
/*
 * The PCI core and the contract of a device. The core owns configuration space, BAR sizing and
 * moves, the capability list, MSI and MSI-X tables, INTx routing, and checks the width and bounds
 * of every access before it calls a device: a device sees a BAR index and an offset, never an
 * address.
 *
 * Every access that reaches a device is 1, 2, 4 or 8 bytes wide, naturally aligned and inside the
 * BAR; any other reads as all-ones and is dropped when written.
 *
 * Locking: all callbacks but init and exit run under the device's lock (one vCPU at a time).
 * Interrupt calls (pci_irq_*) may come from any thread and take no device lock. Order: device lock,
 * irq lock, then the VM's locks.
 */
#ifndef VMM_PCI_PCI_H
#define VMM_PCI_PCI_H

#include <pthread.h>
#include "vmm/core/dev_opts.h"
#include "vmm/core/vm.h"

#define PCI_BARS 6
#define PCI_CFG_SIZE 4096

struct pci_dev;

struct pci_ops {
	const char *name; /* as in --device NAME: "e1000", "virtio-net" */
	/* Set IDs, BARs, capabilities. 0 or -errno (logged). dev->priv is the device's own. */
	int (*init)(struct pci_dev *dev, const struct dev_opts *opts);
	uint64_t (*bar_read)(struct pci_dev *dev, int bar, uint64_t off, unsigned len);
	void (*bar_write)(struct pci_dev *dev, int bar, uint64_t off, unsigned len, uint64_t val);
	void (*reset)(struct pci_dev *dev); /* also before a guest reboot */
	void (*exit)(
		struct pci_dev *dev); /* after all vCPUs have stopped; also after a failed init */
	/* Optional. Device-specific config space (VFIO): return false to let the core handle it. */
	bool (*cfg_read)(struct pci_dev *dev, unsigned off, unsigned len, uint32_t *val);
	bool (*cfg_write)(struct pci_dev *dev, unsigned off, unsigned len, uint32_t val);
	/* Optional. A vector was masked, unmasked or re-programmed, or MSI/MSI-X was switched
	 * (vector -1). */
	void (*irq_changed)(struct pci_dev *dev, int vector);
	/* Optional. BAR moved or decoding switched; base is 0 when not decoded. */
	void (*bar_moved)(struct pci_dev *dev, int bar, uint64_t base);
};

enum pci_bar_kind { PCI_BAR_NONE, PCI_BAR_IO, PCI_BAR_MEM32, PCI_BAR_MEM64 }; /* MEM64 takes two */

struct pci_bar {
	enum pci_bar_kind kind;
	uint64_t size; /* power of two */
	uint64_t base; /* where the guest put it */
	bool mapped;
	/* The rest is the core's. */
	uint8_t index;
	uint64_t firmware_base; /* where it lies after a reset */
	struct pci_dev *dev;
	struct stats_region *region;
};

struct pci_doorbell;
struct pci_backing;
struct pci_reg_name;

struct pci_msix_vector {
	uint64_t addr;
	uint32_t data;
	bool masked, pending;
	int route; /* KVM routing entry, -1: none yet */
	int irqfd; /* eventfd handed out by pci_irq_fd, -1: none */
	uint64_t routed_addr; /* what the route holds */
	uint32_t routed_data;
};

struct pci_dev {
	const struct pci_ops *ops;
	struct vm *vm;
	struct gmem *gm; /* DMA goes through gmem_*: RAM only, never a BAR */
	void *priv;
	char name[24]; /* "e1000", "virtio-net0": unique; used in messages and statistics */
	uint8_t devfn;
	const uint8_t *mac; /* of a network card: its first address, set by mac_assign; else NULL */
	pthread_mutex_t lock;
	uint8_t cfg[PCI_CFG_SIZE];
	uint8_t wmask[PCI_CFG_SIZE]; /* bits that the guest may write */
	struct pci_bar bar[PCI_BARS];
	/* The rest is the core's. */
	struct pci_core *core;
	unsigned next_cap;
	unsigned n_vectors;
	struct pci_msix_vector *vector;
	int msix_bar;
	int msix_pba_bar;
	uint64_t msix_table, msix_pba; /* offsets in their BARs */
	unsigned msix_cap, msi_cap;    /* 0: none */
	bool intx_level, intx_asserted; /* what the device wants, what the line shows */
	pthread_mutex_t irq_lock; /* vectors */
	struct pci_doorbell *doorbells;
	struct pci_backing *backings;
	struct pci_reg_name *reg_names;
};

/* ---- for init ---- */
void pci_set_id(struct pci_dev *dev, uint16_t vendor, uint16_t device, uint16_t subvendor,
		uint16_t subdevice, uint32_t class_rev);
int pci_add_bar(struct pci_dev *dev, int bar, enum pci_bar_kind kind, uint64_t size);
/* Adds a capability; body follows the two header bytes. Returns its offset in config space or
 * -errno. */
int pci_add_cap(struct pci_dev *dev, uint8_t id, const void *body, unsigned body_len);
/* The MSI-X table and PBA get a BAR of their own, handled by the core. */
int pci_add_msix(struct pci_dev *dev, int bar, unsigned vectors);
/* The same inside BARs that exist already (VFIO): the core answers these parts of them, the device
 * the rest. */
int pci_add_msix_at(struct pci_dev *dev, int bar, uint64_t table, int pba_bar, uint64_t pba,
		    unsigned vectors);
int pci_add_msi(struct pci_dev *dev, unsigned vectors);
void pci_add_intx(struct pci_dev *dev); /* interrupt pin A */

/* ---- at run time, any thread ---- */
bool pci_msix_enabled(const struct pci_dev *dev);
bool pci_msi_enabled(const struct pci_dev *dev);
/* Deliver vector v through MSI-X or MSI if enabled (pending while masked); INTx is separate. */
void pci_irq_msg(struct pci_dev *dev, unsigned vector);
void pci_irq_intx(struct pci_dev *dev, bool level);
/* An eventfd that raises the vector without the VMM (irqfd), kept current across mask and
 * re-programming: a masked vector is detached from KVM and its eventfd polled when unmasked. The
 * core owns and closes it. It is made at the first call, which only the control thread may do.
 * fd or -errno. */
int pci_irq_fd(struct pci_dev *dev, unsigned vector);
/* The same for any thread: the eventfd if it has been made, else -1. */
int pci_irq_fd_made(struct pci_dev *dev, unsigned vector);
/* A doorbell in a BAR, following the BAR's moves; fd stays the caller's. Remove with add=false. */
int pci_ioeventfd(struct pci_dev *dev, int bar, uint64_t off, unsigned len, bool match,
		  uint64_t value, int fd, bool add);
/* A part of a BAR backed by host memory (VFIO): mapped into the guest while the BAR decodes. */
int pci_bar_back(struct pci_dev *dev, int bar, uint64_t off, uint64_t len, void *hva);
/* Name a register for the statistics page. */
void pci_name_reg(struct pci_dev *dev, int bar, uint64_t off, uint64_t len, const char *name);
bool pci_bus_master(const struct pci_dev *dev);

#endif
