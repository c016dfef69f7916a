// SPDX-License-Identifier: MIT
/* Multiboot 0.6.96 kernels, ELF32 or ELF64 or with addresses in the header, and flat images entered
 * the same way. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vmm/boot/boot.h"

#define HEADER_MAGIC    0x1badb002u
#define LOADER_MAGIC    0x2badb002u
#define HEADER_SEARCH   8192
#define FLAG_ADDRESSES  (1u << 16)
#define FLAGS_MANDATORY 0xffffu /* a loader must refuse what it does not know of these */
#define FLAGS_KNOWN     3u      /* align modules, pass the memory map */

struct mb_header {
	uint32_t magic, flags, checksum;
	uint32_t header_addr, load_addr, load_end, bss_end, entry; /* with FLAG_ADDRESSES */
};

enum {
	INFO_MEM = 1 << 0,
	INFO_CMDLINE = 1 << 2,
	INFO_MODS = 1 << 3,
	INFO_MMAP = 1 << 6,
	INFO_NAME = 1 << 9
};

struct mb_info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4];
	uint32_t mmap_length, mmap_addr, drives_length, drives_addr, config_table, loader_name,
		apm_table;
	uint32_t vbe[4], framebuffer[6];
};

struct mb_module {
	uint32_t start, end, string, reserved;
};

struct mb_mmap {
	uint32_t size; /* of what follows */
	uint64_t addr, len;
	uint32_t type;
} __attribute__((packed));

struct mb_lists {
	struct mb_module module;
	struct mb_mmap mmap[E820_MAX];
	char empty[4], name[16];
};

_Static_assert(sizeof(struct mb_lists) <= BOOT_LISTS_SIZE, "lists fit their page");

/* The header's offset in the file, or -1. */
static int64_t find_header(const struct blob *b, struct mb_header *h)
{
	for (size_t at = 0; at + 12 <= b->size && at + 12 <= HEADER_SEARCH; at += 4) {
		memset(h, 0, sizeof(*h));
		memcpy(h, b->data + at, MIN(sizeof(*h), b->size - at));
		if (h->magic == HEADER_MAGIC && h->magic + h->flags + h->checksum == 0)
			return (int64_t)at;
	}
	return -1;
}

bool multiboot_is(const struct blob *b)
{
	struct mb_header h;

	return find_header(b, &h) >= 0;
}

/* The header itself says what goes where; it lies at header_addr. */
static int load_addresses(struct gmem *gm, const struct boot_image *img, const struct mb_header *h,
			  uint64_t at, struct loaded *out)
{
	uint64_t before = (uint64_t)h->header_addr - h->load_addr, start = at - before, size, mem;

	if (h->header_addr < h->load_addr || before > at)
		return boot_damaged(img, "its multiboot header contradicts itself");
	size = img->kernel.size - start;
	if (h->load_end)
		size = (uint64_t)h->load_end - h->load_addr;
	mem = size;
	if (h->bss_end)
		mem = (uint64_t)h->bss_end - h->load_addr;
	if ((h->load_end && h->load_end < h->load_addr) ||
	    (h->bss_end && h->bss_end < h->load_addr) || !blob_at(&img->kernel, start, size))
		return boot_damaged(img, "truncated, or its multiboot header is damaged");
	*out = (struct loaded){h->load_addr, h->load_addr + MAX(size, mem), h->entry};
	return boot_put(gm, img, h->load_addr, img->kernel.data + start, size, mem);
}

/* Where the kernel finds what it is told. */
struct handover {
	gpa_t info, lists, cmdline, end;
};

/* Low, as ever; behind a kernel that is there itself. */
static struct handover handover_place(gpa_t kernel_start, gpa_t kernel_end)
{
	const gpa_t info = MAX(align_up(kernel_end, 4096), BOOT_KERNEL_START);
	const gpa_t lists = info + BOOT_LISTS - BOOT_INFO, cmdline = lists + BOOT_LISTS_SIZE;

	if (kernel_start >= BOOT_KERNEL_START)
		return (struct handover){BOOT_INFO, BOOT_LISTS, BOOT_CMDLINE, kernel_end};
	return (struct handover){info, lists, cmdline, cmdline + BOOT_CMDLINE_MAX};
}

static int put_info(struct gmem *gm, const struct boot_image *img, const struct handover *to, gpa_t initrd)
{
	struct mb_lists lists = {.name = "exitlab"};
	struct mb_info info = {.flags = INFO_MEM | INFO_CMDLINE | INFO_MMAP | INFO_NAME};
	struct e820_range map[E820_MAX];
	size_t n = e820_build(gm, map);
	const struct gmem_region *r;
	size_t n_regions;
	int err;

	r = gmem_regions(gm, &n_regions);
	for (size_t i = 0; i < n; i++)
		lists.mmap[i] = (struct mb_mmap){sizeof(struct mb_mmap) - 4, map[i].addr,
						 map[i].size, map[i].type};
	lists.module =
		(struct mb_module){(uint32_t)initrd, (uint32_t)(initrd + img->initrd.size),
				   (uint32_t)(to->lists + offsetof(struct mb_lists, empty)), 0};
	info.mem_lower = BOOT_LOW_END / KIB;
	info.mem_upper = (uint32_t)((r[0].size - BOOT_KERNEL_START) / KIB);
	info.cmdline = (uint32_t)to->cmdline;
	info.mmap_length = (uint32_t)(n * sizeof(struct mb_mmap));
	info.mmap_addr = (uint32_t)(to->lists + offsetof(struct mb_lists, mmap));
	info.loader_name = (uint32_t)(to->lists + offsetof(struct mb_lists, name));
	if (initrd) {
		info.flags |= INFO_MODS;
		info.mods_count = 1;
		info.mods_addr = (uint32_t)to->lists;
	}
	err = gmem_write(gm, to->lists, &lists, sizeof(lists));
	if (err)
		return err;
	return gmem_write(gm, to->info, &info, sizeof(info));
}

/* As GRUB and QEMU give it: the image's name, then what was asked for. */
static int put_cmdline(struct gmem *gm, const struct boot_image *img, gpa_t at)
{
	char *name = xasprintf("%s%s", img->name, text_if(*img->cmdline, " "));
	int err = boot_put_text(gm, at, name, img->cmdline);

	free(name);
	return err;
}

static int finish_load(struct gmem *gm, const struct boot_image *img, const struct loaded *k,
		       struct boot_entry *entry)
{
	struct handover to = handover_place(k->start, k->end);
	gpa_t initrd;
	int err;

	if (k->entry < k->start || k->entry >= k->end)
		return boot_damaged(img, "its entry point lies outside of it");
	if (!gmem_ptr(gm, to.info, to.end - to.info)) {
		log_error("kernel %s: no room behind it for what it is told; give the guest more with --mem", img->name);
		return -ENOMEM;
	}
	err = boot_put_initrd(gm, img, to.end, UINT64_MAX, &initrd);
	if (!err)
		err = put_cmdline(gm, img, to.cmdline);
	if (!err)
		err = put_info(gm, img, &to, initrd);
	*entry = (struct boot_entry){.rip = k->entry, .rax = LOADER_MAGIC, .rbx = to.info};
	return err;
}

int boot_multiboot(struct gmem *gm, const struct boot_image *img, struct boot_entry *entry)
{
	struct boot_image low = *img;
	struct loaded k = {0};
	struct mb_header h;
	int64_t at = find_header(&img->kernel, &h);
	int err;

	if (at < 0)
		return boot_damaged(img, "no multiboot header in its first 8 KiB");
	if (h.flags & FLAGS_MANDATORY & ~FLAGS_KNOWN)
		return boot_damaged(
			img, "it wants a multiboot feature that is not supported yet (video mode)");
	low.low = true;
	if (h.flags & FLAG_ADDRESSES)
		err = load_addresses(gm, &low, &h, (uint64_t)at, &k);
	else
		err = elf_load(gm, &low, &k);
	if (err)
		return err;
	return finish_load(gm, img, &k, entry);
}

int boot_flat(struct gmem *gm, const struct boot_image *img, struct boot_entry *entry)
{
	const gpa_t at = BOOT_KERNEL_START;
	const struct loaded k = {.start = at, .end = at + img->kernel.size, .entry = at};
	int err = boot_put(gm, img, at, img->kernel.data, img->kernel.size, 0);

	if (err)
		return err;
	return finish_load(gm, img, &k, entry);
}
