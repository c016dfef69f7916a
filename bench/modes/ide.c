// SPDX-License-Identifier: MIT
/* Intel's PIIX3 IDE function with one disk, emulated by the VMM. */
#include "bench/modes/block.h"

static const char *const ide_modules[] = {"ata_piix", "sd_mod", NULL};

const struct mode mode_ide = {
	.name = "ide",
	.kind = MODE_BLOCK,
	.guests = GUEST_LINUX | GUEST_MICRO,
	.front = FRONT_IDE,
	.server = SERVER_VMM,
	.modules = ide_modules,
	.knobs = BLOCK_KNOBS " dma posted",
	.make = block_make,
};
