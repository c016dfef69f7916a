// SPDX-License-Identifier: MIT
/* An uncompressed kernel entered in 32-bit mode: Xen's PVH boot ABI
 * (xen/include/public/arch-x86/hvm/start_info.h). */
#include <errno.h>
#include <string.h>

#include "vmm/boot/boot.h"

#define START_MAGIC 0x336ec578

struct pvh_start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modlist, cmdline, rsdp, memmap;
	uint32_t memmap_entries, reserved;
};

struct pvh_module {
	uint64_t addr, size, cmdline, reserved;
};

struct pvh_memmap {
	uint64_t addr, size;
	uint32_t type, reserved;
};

struct pvh_lists {
	struct pvh_module module;
	struct pvh_memmap memmap[E820_MAX];
};

_Static_assert(sizeof(struct pvh_lists) <= BOOT_LISTS_SIZE, "lists fit their page");

static int put_info(struct gmem *gm, const struct boot_image *img, gpa_t initrd)
{
	struct pvh_start_info info = {
		.magic = START_MAGIC,
		.version = 1,
		.nr_modules = initrd > 0,
		.modlist = bits_if(initrd, BOOT_LISTS),
		.cmdline = BOOT_CMDLINE,
		.rsdp = img->rsdp,
		.memmap = BOOT_LISTS + offsetof(struct pvh_lists, memmap),
	};
	struct pvh_lists lists = {.module = {initrd, img->initrd.size, 0, 0}};
	struct e820_range map[E820_MAX];
	size_t n = e820_build(gm, map);
	int err;

	for (size_t i = 0; i < n; i++)
		lists.memmap[i] = (struct pvh_memmap){map[i].addr, map[i].size, map[i].type, 0};
	info.memmap_entries = (uint32_t)n;
	err = gmem_write(gm, BOOT_LISTS, &lists, sizeof(lists));
	if (err)
		return err;
	return gmem_write(gm, BOOT_INFO, &info, sizeof(info));
}

int boot_pvh(struct gmem *gm, const struct boot_image *img, struct boot_entry *entry)
{
	struct loaded k;
	uint64_t pvh_entry;
	gpa_t initrd;
	int err;

	if (!elf_pvh_entry(&img->kernel, &pvh_entry))
		return boot_damaged(img,
				    "no PVH note: build it with CONFIG_PVH, or use its bzImage");
	err = elf_load(gm, img, &k);
	if (err)
		return err;
	if (pvh_entry >= k.end)
		return boot_damaged(img, "its PVH entry point lies outside of it");
	err = boot_put_initrd(gm, img, k.end, UINT64_MAX, &initrd);
	if (!err)
		err = boot_put_cmdline(gm, img);
	if (!err)
		err = put_info(gm, img, initrd);
	*entry = (struct boot_entry){.rip = pvh_entry, .rbx = BOOT_INFO};
	return err;
}
