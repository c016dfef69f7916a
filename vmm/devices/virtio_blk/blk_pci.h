/* SPDX-License-Identifier: MIT */
/* The PCI device around the queues of virtio-blk (blk.c), for its tests too. */
#ifndef VMM_DEVICES_VIRTIO_BLK_BLK_PCI_H
#define VMM_DEVICES_VIRTIO_BLK_BLK_PCI_H

#include "vmm/devices/virtio_blk/blk.h"

struct vblk_pci {
	struct virtio_dev vd; /* first: the transport finds it through pci->priv */
	struct vblk blk;
	char q_name[VBLK_QUEUES_MAX][8];
};

#endif
