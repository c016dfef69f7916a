/* SPDX-License-Identifier: MIT */
/* The disks that this guest has drivers for: polled, no interrupts. */
#ifndef WORKLOADS_MICRO_BLK_H
#define WORKLOADS_MICRO_BLK_H

#include "workloads/blk_load.h"
#include "workloads/micro/pci.h"

/* False: there is no such disk. report_fail when there is one and it fails. */
bool virtio_blk_init(struct blk *b);
bool nvme_init(struct blk *b);
bool ide_init(struct blk *b);

/* The first disk there is. 0, or -1 after report_fail. */
int blk_open(struct blk *b);

#endif
