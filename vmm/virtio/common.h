/* SPDX-License-Identifier: MIT */
/*
 * The common configuration structure (virtio 1.3, 4.1.4.3) and the device's life: between pci.c,
 * pci_setup.c and common.c.
 */
#ifndef VMM_VIRTIO_COMMON_H
#define VMM_VIRTIO_COMMON_H

#include "vmm/virtio/virtio.h"

uint64_t virtio_common_read(struct virtio_dev *vd, uint64_t off, unsigned len);
void virtio_common_write(struct virtio_dev *vd, uint64_t off, unsigned len, uint64_t val);
/* State of a device that was just reset; no ops are called. */
void virtio_common_init(struct virtio_dev *vd);
void virtio_device_reset(struct virtio_dev *vd);

/* pci.c */
void virtio_isr_clear(struct virtio_dev *vd);

/* pci_setup.c */
#define BAR_PIO  0
#define BAR_MSIX 1
#define BAR_MEM  4

#define REGION_SIZE 0x1000
enum { REGION_COMMON, REGION_ISR, REGION_DEVICE, REGION_NOTIFY, REGIONS };

#define NOTIFY_STEP 4 /* notify_off_multiplier */

void virtio_doorbell(struct virtio_dev *vd, unsigned q, bool add);

#endif
