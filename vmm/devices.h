/* SPDX-License-Identifier: MIT */
/* Every PCI device there is; devices.c is the one list. */
#ifndef VMM_DEVICES_H
#define VMM_DEVICES_H

#include "vmm/pci/pci.h"

extern const struct pci_ops e1000_ops, virtio_blk_ops, virtio_net_ops, virtio_rng_ops, virtio_console_ops,
	testdev_ops, vfio_ops;

/* NULL when there is no such device (logged, with those that there are). */
const struct pci_ops *device_find(const char *name);

#endif
