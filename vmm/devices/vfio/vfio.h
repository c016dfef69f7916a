/* SPDX-License-Identifier: MIT */
/*
 * Host PCI devices assigned to the guest through VFIO.
 *
 *   container.c  guest RAM is mapped for DMA, RAM only, IOVA = guest-physical address; the IOMMU is reached
 *                through group.c (type 1) or, where the kernel has it, cdev.c (iommufd)
 *   device.c     one device as a pci_ops: BARs mapped into the guest except the MSI-X table's pages, config
 *                space from the PCI core with the device's identity, reset, unplug and error notifications
 *   irq.c        MSI-X, MSI and INTx through eventfds that KVM takes without the VMM
 *
 * The guest sees the device on the root bus, so its PCI Express capability says "root complex integrated
 * endpoint". Capabilities that nobody emulates here (power management, VPD, extended ones) are hidden.
 */
#ifndef VMM_DEVICES_VFIO_VFIO_H
#define VMM_DEVICES_VFIO_VFIO_H

#include <linux/vfio.h>
#include "base/iommu.h"
#include "vmm/core/evloop.h"
#include "vmm/pci/core.h"

struct vfio_container;

struct vfio_bar {
	uint64_t size, offset; /* in the device's fd */
	bool mappable;
	void *map[2]; /* below and above the MSI-X table's pages */
	uint64_t map_len[2];
};

struct vfio_device {
	struct pci_dev *pci;
	char addr[16]; /* 0000:01:10.0 */
	int fd;
	struct vfio_container *container;
	struct vfio_bar bar[PCI_BARS];
	uint64_t config_offset;
	uint16_t command; /* what the device's own COMMAND holds */
	bool can_reset;
	/* Interrupts. */
	unsigned n_msix;
	int *msix_fd;            /* one per vector, the core's */
	int intx_fd, unmask_fd;  /* -1: the device has no pin */
	bool msix_on, msi_on, intx_on;
	/* Notifications. */
	struct evloop *loop;
	int err_fd, req_fd;
	struct iommu_watch faults;
	struct stats_queue *stats; /* .bad: DMA outside the guest's memory */
};

/* ---- container.c ---- */
/* Open the device, with the guest's RAM mapped for it. 0 or -errno, one line logged. unsafe: also without
 * interrupt remapping. */
int vfio_open(struct vfio_device *d, struct vm *vm, bool unsafe);
void vfio_close(struct vfio_device *d);

/* An ioctl of the device while the guest runs: on the control thread. 0 or -errno. */
int vfio_ioctl(struct vfio_device *d, unsigned long request, void *arg);
/* ---- irq.c ---- */
int vfio_irq_init(struct vfio_device *d, unsigned msix_vectors, bool msi, bool pin);
/* Bring the device's interrupts in line with what the guest has switched on. */
void vfio_irq_update(struct vfio_device *d);
/* All off, whatever the guest has switched on: before a reset. */
void vfio_irq_off(struct vfio_device *d);
/* Error and unplug requests end the run with a message; DMA that the IOMMU stops is counted and logged. */
int vfio_notify_init(struct vfio_device *d);
void vfio_irq_exit(struct vfio_device *d);

#endif
