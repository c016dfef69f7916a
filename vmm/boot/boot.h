/* SPDX-License-Identifier: MIT */
/*
 * Loaders: from a kernel's file to guest memory and the state of the first vCPU. Files are hostile:
 * every offset and size in them is checked. They work on guest memory alone, so they need no KVM.
 *
 *       0x500  GDT                         0x4000  page tables (4 GiB mapped 1:1)
 *      0x2000  what the protocol hands over (start_info, boot_params, multiboot info)
 *      0x3000  its lists (memory map, modules)
 *     0x20000  command line (64 KiB)
 *     0xe0000  ACPI tables
 *    0x100000  kernels, from here up; the initrd ends at the top of the memory below the hole
 *
 * A multiboot kernel may lie anywhere in conventional memory, too, above the GDT. What is handed over to it
 * is then behind it, from 1 MiB up.
 */
#ifndef VMM_BOOT_BOOT_H
#define VMM_BOOT_BOOT_H

#include "vmm/core/gmem.h"

#define BOOT_GDT          0x500ull
#define BOOT_LOW_START    0x600ull /* of conventional memory that a kernel may lie in */
#define BOOT_INFO         0x2000ull
#define BOOT_LISTS        0x3000ull
#define BOOT_LISTS_SIZE   0x1000ull
#define BOOT_PAGE_TABLES  0x4000ull
#define BOOT_CMDLINE      0x20000ull
#define BOOT_CMDLINE_MAX  0x10000ull
#define BOOT_LOW_END      0x9fc00ull /* end of conventional memory */
#define BOOT_ACPI         0xe0000ull
#define BOOT_ACPI_END     0x100000ull
#define BOOT_KERNEL_START 0x100000ull

struct blob {
	const uint8_t *data;
	size_t size;
};

enum boot_format { BOOT_AUTO, BOOT_BZIMAGE, BOOT_PVH, BOOT_MULTIBOOT, BOOT_FLAT };

struct boot_image {
	enum boot_format format;
	const char *name;  /* of the kernel's file, for messages */
	struct blob kernel;
	struct blob initrd; /* size 0: none */
	const char *cmdline;
	gpa_t rsdp;
	bool low; /* it may lie in conventional memory */
};

struct boot_entry {
	bool long_mode; /* else 32-bit protected mode without paging */
	uint64_t rip, rax, rbx, rsi;
};

/* 0, -ENOEXEC (not a kernel, or damaged), -ENOMEM (does not fit): logged, one line. */
int boot_load(struct gmem *gm, const struct boot_image *img, struct boot_entry *entry);

/* Map a file to read; -errno logged with what ("kernel", "initrd"). */
int blob_open(struct blob *b, const char *what, const char *path);
/* Give the pages that were read back to the page cache; they come again when needed. */
void blob_drop(const struct blob *b);
void blob_close(struct blob *b);

/* ---- shared by the loaders ---- */

/* [off, off+len) of the blob or NULL. */
static inline const void *blob_at(const struct blob *b, uint64_t off, uint64_t len)
{
	return len && range_ok(off, len, b->size) ? b->data + off : NULL;
}

enum { E820_RAM = 1, E820_RESERVED = 2, E820_ACPI = 3 };

struct e820_range {
	uint64_t addr, size;
	uint32_t type;
};

#define E820_MAX 8

/* The memory map that every protocol hands over. */
size_t e820_build(const struct gmem *gm, struct e820_range map[E820_MAX]);

/* What a kernel's file said: its lowest address, the first above it, where it is entered. */
struct loaded {
	gpa_t start, end;
	uint64_t entry;
};

/* Load the PT_LOAD segments. */
int elf_load(struct gmem *gm, const struct boot_image *img, struct loaded *out);
bool elf_is(const struct blob *b);
/* The 32-bit entry point of a Xen note, or false. */
bool elf_pvh_entry(const struct blob *b, uint64_t *entry);

/* The initrd at the top of memory, above the kernel's end and at most at limit. *at is 0 without
 * one. */
int boot_put_initrd(struct gmem *gm, const struct boot_image *img, gpa_t kernel_end, uint64_t limit,
		    gpa_t *at);
int boot_put_cmdline(struct gmem *gm, const struct boot_image *img);
/* One text behind the other at gpa; -E2BIG (logged) beyond BOOT_CMDLINE_MAX. */
int boot_put_text(struct gmem *gm, gpa_t gpa, const char *first, const char *rest);
/* The kernel's own bytes: dst must be RAM at or above BOOT_KERNEL_START, or with img->low in conventional
 * memory; the rest up to mem_size is zeroed. */
int boot_put(struct gmem *gm, const struct boot_image *img, gpa_t dst, const void *data,
	     uint64_t size, uint64_t mem_size);
int boot_damaged(const struct boot_image *img, const char *what);

int boot_bzimage(struct gmem *gm, const struct boot_image *img, struct boot_entry *entry);
int boot_pvh(struct gmem *gm, const struct boot_image *img, struct boot_entry *entry);
int boot_multiboot(struct gmem *gm, const struct boot_image *img, struct boot_entry *entry);
int boot_flat(struct gmem *gm, const struct boot_image *img, struct boot_entry *entry);
bool bzimage_is(const struct blob *b);
bool multiboot_is(const struct blob *b);

#endif
