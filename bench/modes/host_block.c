// SPDX-License-Identifier: MIT
/* No VM: the agent on the medium itself, the baseline of the block modes. Its row is that of mode host. */
#include "bench/modes/block.h"

static const char *const no_modules[] = {NULL};

const struct mode mode_host_block = {
	.name = "host",
	.kind = MODE_BLOCK,
	.guests = GUEST_NONE,
	.modules = no_modules,
	.knobs = "",
	.make = block_make,
};
