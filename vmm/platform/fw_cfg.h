/* SPDX-License-Identifier: MIT */
/*
 * QEMU's fw_cfg (docs/specs/fw_cfg): what a kernel or firmware written for QEMU asks of its machine. Ports:
 *
 *      0x510  w 16   selects an item, and its begin
 *      0x511  r 8    the item's next byte; 0 behind its end
 *      0x514  w 64   big-endian: the address of a DMA request; reads "QEMU CFG"
 *
 * Nothing of it can be written.
 */
#ifndef VMM_PLATFORM_FW_CFG_H
#define VMM_PLATFORM_FW_CFG_H

#include "vmm/boot/boot.h"
#include "vmm/core/machine.h"

struct fw_cfg;

/* image: what was loaded, as long as the machine lives; NULL: nothing. 0 or -errno. */
int fw_cfg_create(struct fw_cfg **out, struct vm *vm, const struct boot_image *image);
void fw_cfg_reset(struct fw_cfg *f);
void fw_cfg_destroy(struct fw_cfg *f);

#endif
