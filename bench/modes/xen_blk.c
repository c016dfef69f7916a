// SPDX-License-Identifier: MIT
/*
 * Xen's split driver for disks on KVM: blkfront in the guest, its back end in the VMM (xen.c has the
 * network's).
 */
#include "bench/modes/block.h"

static const char *const blkfront_modules[] = {"xen_blkfront", NULL};

const struct mode mode_xen_blk = {
	.name = "xen-blk",
	.kind = MODE_BLOCK,
	.needs = NEED_KVM_XEN,
	.guests = GUEST_LINUX,
	.front = FRONT_XEN_BLK,
	.server = SERVER_VMM,
	.modules = blkfront_modules,
	.knobs = BLOCK_KNOBS,
	.make = block_make,
};
