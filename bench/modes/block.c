// SPDX-License-Identifier: MIT
#include "bench/modes/block.h"

const char *const virtio_blk_modules[] = {"virtio_pci", "virtio_blk", NULL};

int block_make(struct device_path *p, const struct path_want *want)
{
	struct medium_want w = {
		.name = want->medium, .unit = want->vm, .units = want->vms, .overwrite = want->overwrite};

	return medium_open(&p->medium, &w);
}
