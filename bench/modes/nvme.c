// SPDX-License-Identifier: MIT
/* An NVMe controller, emulated by the VMM. */
#include "bench/modes/block.h"

static const char *const nvme_modules[] = {"nvme", NULL};

const struct mode mode_nvme = {
	.name = "nvme",
	.kind = MODE_BLOCK,
	.guests = GUEST_LINUX | GUEST_MICRO,
	.front = FRONT_NVME,
	.server = SERVER_VMM,
	.modules = nvme_modules,
	.knobs = BLOCK_KNOBS " queues ioeventfd shadow",
	.make = block_make,
};
