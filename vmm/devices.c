// SPDX-License-Identifier: MIT
#include <string.h>

#include "vmm/devices.h"

/* Every device that --device, --net and --vfio can make; each file in net/, virtio/ and vfio/ exports one. */
static const struct pci_ops *const devices[] = {
	&e1000_ops,
	&virtio_net_ops, &virtio_rng_ops, &virtio_console_ops, &testdev_ops, &vfio_ops,
	NULL,
};

const struct pci_ops *device_find(const char *name)
{
	for (const struct pci_ops *const *ops = devices; *ops; ops++)
		if (!strcmp((*ops)->name, name))
			return *ops;
	return NULL;
}
