/* SPDX-License-Identifier: MIT */
/* Every PCI device there is; device_rows.h is the one list. */
#ifndef VMM_DEVICES_H
#define VMM_DEVICES_H

#include "vmm/pci/pci.h"

#define X(symbol) extern const struct pci_ops symbol##_ops;
#include "vmm/device_rows.h"
#undef X

/* NULL when there is no such device (logged, with those that there are). */
const struct pci_ops *device_find(const char *name);

#endif
