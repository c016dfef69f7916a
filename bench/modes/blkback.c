// SPDX-License-Identifier: MIT
/*
 * Xen's split driver for disks on Xen: the domain's blkfront over a shared ring with grants and an event
 * channel, and its back end, a thread of dom0's kernel, on the medium's block device.
 */
#include <errno.h>

#include "base/log.h"
#include "bench/modes/block.h"

static const char *const blkfront_modules[] = {"xen_blkfront", NULL};

static int make_block(struct device_path *p, const struct path_want *want)
{
	int err = block_make(p, want);

	if (err || p->medium.is_device)
		return err;
	log_error("mode blkback: dom0's back end opens block devices only; use --medium=null or ram");
	return -ENOTSUP;
}

const struct mode mode_blkback = {
	.name = "blkback",
	.kind = MODE_BLOCK,
	.needs = NEED_ROOT | NEED_XEN,
	.guests = GUEST_LINUX,
	.front = FRONT_XEN_VBD,
	.server = SERVER_KERNEL,
	.modules = blkfront_modules,
	.knobs = "",
	.make = make_block,
};
