/* SPDX-License-Identifier: MIT */
/*
 * exitlab-testdev: the smallest PCI device that has each kind of register which a micro guest measures.
 * BAR 0:
 *
 *      0x000  TESTDEV_ID       r   TESTDEV_MAGIC
 *      0x004  TESTDEV_SCRATCH  rw  a plain register: one exit to userspace each way
 *      0x008  TESTDEV_MSI      w   raises that MSI-X vector (two of them, table in BAR 1)
 *      0x00c  TESTDEV_RINGS    r   doorbell writes since it was last read, as the eventfd counted them
 *      0x010  TESTDEV_MISSED   r   doorbell writes that came here, because KVM did not take them
 *      0x100  TESTDEV_DOORBELL w   an ioeventfd: KVM handles it
 */
#ifndef VMM_DEVICES_TESTDEV_H
#define VMM_DEVICES_TESTDEV_H

#define TESTDEV_VENDOR 0x1234
#define TESTDEV_DEVICE 0xe17a
#define TESTDEV_MAGIC  0x45584c54

#define TESTDEV_ID       0x000
#define TESTDEV_SCRATCH  0x004
#define TESTDEV_MSI      0x008
#define TESTDEV_RINGS    0x00c
#define TESTDEV_MISSED   0x010
#define TESTDEV_DOORBELL 0x100

#define TESTDEV_BAR_SIZE 4096
#define TESTDEV_VECTORS  2

#endif
