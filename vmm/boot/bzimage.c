// SPDX-License-Identifier: MIT
/* A compressed kernel entered in 64-bit mode (Documentation/arch/x86/boot.rst). */
#include <asm/bootparam.h>
#include <errno.h>
#include <string.h>

#include "vmm/boot/boot.h"

#define HDR_OFF        0x1f1
#define MIN_VERSION    0x020c /* xloadflags, 64-bit entry */
#define ENTRY_64       0x200
#define LOADER_UNKNOWN 0xff
#define HDRS           0x53726448 /* "HdrS" */

static bool get_header(const struct blob *b, struct setup_header *h)
{
	if (b->size < HDR_OFF + sizeof(*h))
		return false;
	memcpy(h, b->data + HDR_OFF, sizeof(*h));
	return h->boot_flag == 0xaa55 && h->header == HDRS;
}

bool bzimage_is(const struct blob *b)
{
	struct setup_header h;

	return get_header(b, &h);
}

static void fill_params(struct gmem *gm, const struct boot_image *img, const struct setup_header *h,
			gpa_t initrd, struct boot_params *bp)
{
	struct e820_range map[E820_MAX];
	size_t n = e820_build(gm, map);

	bp->hdr = *h;
	bp->hdr.type_of_loader = LOADER_UNKNOWN;
	bp->hdr.cmd_line_ptr = BOOT_CMDLINE;
	bp->hdr.ramdisk_image = (uint32_t)initrd;
	bp->hdr.ramdisk_size = (uint32_t)img->initrd.size;
	bp->acpi_rsdp_addr = img->rsdp;
	bp->e820_entries = (uint8_t)n;
	for (size_t i = 0; i < n; i++)
		bp->e820_table[i] = (struct boot_e820_entry){map[i].addr, map[i].size, map[i].type};
}

static void put_page_tables(struct gmem *gm)
{
	uint64_t table[512] = {BOOT_PAGE_TABLES + 0x1000 + 3};

	gmem_write(gm, BOOT_PAGE_TABLES, table, sizeof(table));
	memset(table, 0, sizeof(table));
	for (uint64_t i = 0; i < 4; i++)
		table[i] = (BOOT_PAGE_TABLES + 0x2000 + i * 0x1000) | 3;
	gmem_write(gm, BOOT_PAGE_TABLES + 0x1000, table, sizeof(table));
	for (uint64_t dir = 0; dir < 4; dir++) {
		for (uint64_t i = 0; i < 512; i++)
			table[i] = (dir << 30 | i << 21) | 0x83; /* present, writable, 2 MiB */
		gmem_write(gm, BOOT_PAGE_TABLES + 0x2000 + dir * 0x1000, table, sizeof(table));
	}
}

int boot_bzimage(struct gmem *gm, const struct boot_image *img, struct boot_entry *entry)
{
	struct boot_params bp = {0};
	struct setup_header h;
	uint64_t setup;
	gpa_t load, initrd;
	int err;

	if (!get_header(&img->kernel, &h))
		return boot_damaged(img, "not a bzImage, or a truncated one");
	if (h.version < MIN_VERSION || !(h.xloadflags & XLF_KERNEL_64))
		return boot_damaged(
			img, "no 64-bit entry point: want Linux 3.8 or later, built for 64 bits");
	setup = or_usual(h.setup_sects, 4) * 512 + 512;
	if (!blob_at(&img->kernel, setup, (uint64_t)h.syssize * 16) || !h.syssize)
		return boot_damaged(img, "the bzImage is truncated");
	load = h.relocatable_kernel ? h.pref_address : h.code32_start;
	err = boot_put(gm, img, load, img->kernel.data + setup, (uint64_t)h.syssize * 16,
		       h.init_size);
	if (!err)
		err = boot_put_initrd(gm, img, load + h.init_size, (uint64_t)h.initrd_addr_max + 1,
				      &initrd);
	if (!err)
		err = boot_put_cmdline(gm, img);
	if (err)
		return err;
	if (strlen(img->cmdline) > h.cmdline_size)
		return boot_damaged(img, "the command line is longer than this kernel takes");
	fill_params(gm, img, &h, initrd, &bp);
	put_page_tables(gm);
	*entry = (struct boot_entry){.long_mode = true, .rip = load + ENTRY_64, .rsi = BOOT_INFO};
	return gmem_write(gm, BOOT_INFO, &bp, sizeof(bp));
}
