// SPDX-License-Identifier: MIT
/* Intel's PIIX3 IDE function with one disk, emulated by the VMM. */
#include "bench/modes/block.h"

static const char *const ide_modules[] = {"ata_piix", "sd_mod", NULL};

/* Of a disk that cannot be told to offer no DMA, the driver makes no use of it. */
static const char *ide_cmdline(const struct knobs *knobs)
{
	return text_if(!knobs_on(knobs, "dma", true), "libata.dma=0");
}

const struct mode mode_ide = {
	.name = "ide",
	.kind = MODE_BLOCK,
	.guests = GUEST_LINUX | GUEST_MICRO,
	.front = FRONT_IDE,
	.server = SERVER_VMM,
	.modules = ide_modules,
	.cmdline = ide_cmdline,
	.knobs = BLOCK_KNOBS " dma posted io",
	.make = block_make,
};
