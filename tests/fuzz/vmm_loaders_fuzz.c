// SPDX-License-Identifier: MIT
/* libFuzzer: kernels and initrds. Byte 0 is the size of the initrd, which follows; the rest is the kernel. */
#include <stdlib.h>

#include "base/log.h"
#include "vmm/boot/boot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct gmem *gm;
	struct boot_image img = {.name = "fuzz", .cmdline = "quiet", .rsdp = 0xe0000};
	struct boot_entry entry;

	if (!gm) {
		log_init("fuzz", LOG_ERROR);
		if (gmem_create(&gm, 4 * MIB))
			abort();
	}
	if (size < 1 || data[0] > size - 1)
		return 0;
	img.initrd = (struct blob){data + 1, data[0]};
	img.kernel = (struct blob){data + 1 + data[0], size - 1 - data[0]};
	for (enum boot_format f = BOOT_AUTO; f <= BOOT_FLAT; f++) {
		img.format = f;
		if (boot_load(gm, &img, &entry) == 0 && !gmem_ptr(gm, entry.rip, 1) && f == BOOT_MULTIBOOT)
			abort(); /* it said that the entry lies in the kernel */
	}
	return 0;
}
