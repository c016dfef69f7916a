// SPDX-License-Identifier: MIT
#include <asm/bootparam.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/seed.h"
#include "vmm/boot/boot.h"

#define MEM      (32 * MIB)
#define LOAD     0x200000ull
#define CODE     "kernel code"
#define MUTATION 6000

static struct gmem *gm;
static struct boot_image img;
static struct boot_entry entry;

/* ---- images made by hand, in one buffer each ---- */

static uint8_t file[64 * 1024];

static struct blob elf_file(bool is64, bool note)
{
	static const struct {
		Elf64_Nhdr head;
		char name[4];
		uint64_t entry;
	} xen = {{4, 8, 18}, "Xen", LOAD + 4};

	memset(file, 0, sizeof(file));
	memcpy(file + 0x1000, CODE, sizeof(CODE));
	memcpy(file + 0x2000, &xen, sizeof(xen));
	if (is64) {
		Elf64_Ehdr h = {.e_ident = ELFMAG,
				.e_machine = EM_X86_64,
				.e_entry = LOAD + 2,
				.e_phoff = 64,
				.e_phnum = note ? 2 : 1,
				.e_phentsize = sizeof(Elf64_Phdr)};
		Elf64_Phdr p[2] = {{.p_type = PT_LOAD,
				    .p_offset = 0x1000,
				    .p_paddr = LOAD,
				    .p_filesz = 0x100,
				    .p_memsz = 0x3000},
				   {.p_type = PT_NOTE,
				    .p_offset = 0x2000,
				    .p_filesz = sizeof(xen),
				    .p_memsz = sizeof(xen)}};

		h.e_ident[EI_CLASS] = ELFCLASS64;
		h.e_ident[EI_DATA] = ELFDATA2LSB;
		memcpy(file, &h, sizeof(h));
		memcpy(file + 64, p, sizeof(p));
	} else {
		Elf32_Ehdr h = {.e_ident = ELFMAG,
				.e_machine = EM_386,
				.e_entry = LOAD + 2,
				.e_phoff = 64,
				.e_phnum = 1,
				.e_phentsize = sizeof(Elf32_Phdr)};
		Elf32_Phdr p = {.p_type = PT_LOAD,
				.p_offset = 0x1000,
				.p_paddr = LOAD,
				.p_filesz = 0x100,
				.p_memsz = 0x3000};

		h.e_ident[EI_CLASS] = ELFCLASS32;
		h.e_ident[EI_DATA] = ELFDATA2LSB;
		memcpy(file, &h, sizeof(h));
		memcpy(file + 64, &p, sizeof(p));
	}
	return (struct blob){file, 0x3000};
}

static void add_multiboot(size_t at, uint32_t flags)
{
	const uint32_t head[] = {
		0x1badb002, flags,	   -(0x1badb002u + flags), (uint32_t)(LOAD + at),
		LOAD,	    LOAD + 0x2000, LOAD + 0x4000,	   LOAD + 0x1000};

	memcpy(file + at, head, sizeof(head));
}

static struct blob addresses_file(void)
{
	memset(file, 0, sizeof(file));
	memcpy(file + 0x1000, CODE, sizeof(CODE));
	add_multiboot(0x20, 1u << 16 | 3);
	return (struct blob){file, 0x3000};
}

static struct blob bzimage_file(void)
{
	struct setup_header h = {.setup_sects = 4,
				 .boot_flag = 0xaa55,
				 .header = 0x53726448,
				 .version = 0x20f,
				 .syssize = 0x3000 / 16,
				 .xloadflags = XLF_KERNEL_64,
				 .relocatable_kernel = 1,
				 .pref_address = LOAD,
				 .init_size = 0x10000,
				 .initrd_addr_max = 0x7fffffff,
				 .cmdline_size = 2047};

	memset(file, 0, sizeof(file));
	memcpy(file + 0x1f1, &h, sizeof(h));
	memcpy(file + 5 * 512, CODE, sizeof(CODE));
	return (struct blob){file, 5 * 512 + 0x3000};
}

static struct blob make(enum boot_format format)
{
	struct blob b;

	switch (format) {
	case BOOT_PVH:
		return elf_file(true, true);
	case BOOT_BZIMAGE:
		return bzimage_file();
	case BOOT_MULTIBOOT:
		b = elf_file(false, false);
		add_multiboot(0x400, 3);
		return b;
	default:
		return addresses_file();
	}
}

static int setup(void **state)
{
	(void)state;
	assert_int_equal(gmem_create(&gm, MEM), 0);
	img = (struct boot_image){.name = "test", .cmdline = "a=b c", .rsdp = 0xe0000};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	gmem_destroy(gm);
	return 0;
}

static const char *text_at(gpa_t gpa)
{
	return gmem_ptr(gm, gpa, 64);
}

/* ---- what a good image leads to ---- */

static void pvh(void **state)
{
	static const uint8_t disk[5000] = {7};
	const uint32_t *info = gmem_ptr(gm, BOOT_INFO, 56);
	const uint64_t *module;

	(void)state;
	img.kernel = make(BOOT_PVH);
	img.initrd = (struct blob){disk, sizeof(disk)};
	assert_int_equal(boot_load(gm, &img, &entry), 0);
	assert_int_equal(entry.rip, LOAD + 4);
	assert_int_equal(entry.rbx, BOOT_INFO);
	assert_false(entry.long_mode);
	assert_string_equal(text_at(LOAD), CODE);
	assert_int_equal(info[0], 0x336ec578);
	assert_int_equal(info[3], 1);
	module = gmem_ptr(gm, info[4], 32);
	assert_int_equal(module[0], MEM - 2 * 4096);
	assert_int_equal(module[1], sizeof(disk));
	assert_int_equal(*text_at(module[0]), 7);
	assert_string_equal(text_at(info[6]), "a=b c");
	assert_int_equal(info[8], 0xe0000);
}

static void multiboot(void **state)
{
	static const enum boot_format formats[] = {BOOT_MULTIBOOT, BOOT_FLAT};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		const uint32_t *info = gmem_ptr(gm, BOOT_INFO, 88);

		img.kernel = make(formats[i]);
		assert_int_equal(boot_load(gm, &img, &entry), 0);
		assert_int_equal(entry.rip,
				 formats[i] == BOOT_MULTIBOOT ? LOAD + 2 : LOAD + 0x1000);
		assert_int_equal(entry.rax, 0x2badb002);
		assert_string_equal(text_at(LOAD + (formats[i] == BOOT_MULTIBOOT ? 0 : 0x1000)),
				    CODE);
		assert_true(info[0] & 1 << 6);
		assert_int_equal(info[2], MEM / KIB - 1024);
		assert_string_equal(text_at(info[4]), "test a=b c");
		assert_false(info[0] & 1 << 3);
	}
}

/* Without a line of its own the name is all of it. */
static void multiboot_name_alone(void **state)
{
	const uint32_t *info = gmem_ptr(gm, BOOT_INFO, 88);

	(void)state;
	img.kernel = make(BOOT_MULTIBOOT);
	img.cmdline = "";
	assert_int_equal(boot_load(gm, &img, &entry), 0);
	assert_string_equal(text_at(info[4]), "test");
}

/* A kernel whose header has these addresses, entered at its start. */
static struct blob low_file(uint32_t load, uint32_t size, uint32_t bss_end)
{
	const uint32_t flags = 1u << 16 | 3;
	const uint32_t head[] = {0x1badb002, flags, -(0x1badb002u + flags), load, load, load + size,
				 bss_end,    load};

	memset(file, 0, sizeof(file));
	memcpy(file, head, sizeof(head));
	memcpy(file + 0x100, CODE, sizeof(CODE));
	return (struct blob){file, 0x3000};
}

/* It is not written over by what it is told, nor by the GDT, wherever in conventional memory it lies. */
static void multiboot_low(void **state)
{
	static const struct {
		uint32_t load, size, bss_end;
		int err;
	} cases[] = {
		{0x8000, 0x3000, 0, 0},
		{0x7c00, 0x3000, 0x9fc00, 0},
		{0x1000, 0x3000, 0x90000, 0},
		{0x600, 0x3000, 0, 0},
		{0x9cc00, 0x3000, 0, 0},
		{0x8000, 0x3000, 0x9fc01, -ENOMEM},
		{0x9d000, 0x3000, 0, -ENOMEM},
		{0x5ff, 0x3000, 0, -ENOMEM},
		{0, 0x3000, 0, -ENOMEM},
		{0xfffff, 0x3000, 0, -ENOMEM},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const uint32_t *info;

		img.kernel = low_file(cases[i].load, cases[i].size, cases[i].bss_end);
		assert_int_equal(boot_load(gm, &img, &entry), cases[i].err);
		if (cases[i].err)
			continue;
		assert_int_equal(entry.rip, cases[i].load);
		assert_memory_equal(gmem_ptr(gm, cases[i].load, cases[i].size), file, cases[i].size);
		assert_true(cases[i].load > BOOT_GDT + 6 * 8);
		info = gmem_ptr(gm, entry.rbx, 88);
		assert_true(entry.rbx >= BOOT_KERNEL_START);
		assert_true(info[4] >= BOOT_KERNEL_START && info[12] >= BOOT_KERNEL_START);
		assert_string_equal(text_at(info[4]), "test a=b c");
		assert_int_equal(info[2], MEM / KIB - 1024);
	}
}

/* Of the other formats none may. */
static void low_is_multiboots(void **state)
{
	Elf64_Phdr p;

	(void)state;
	img.kernel = make(BOOT_PVH);
	memcpy(&p, file + 64, sizeof(p));
	p.p_paddr = 0x8000;
	memcpy(file + 64, &p, sizeof(p));
	assert_int_equal(boot_load(gm, &img, &entry), -ENOMEM);
}

static void multiboot_elf64(void **state)
{
	(void)state;
	img.kernel = elf_file(true, false);
	add_multiboot(0x400, 3);
	assert_int_equal(boot_load(gm, &img, &entry), 0);
	assert_int_equal(entry.rip, LOAD + 2);
}

static void bzimage(void **state)
{
	const struct boot_params *bp = gmem_ptr(gm, BOOT_INFO, 4096);

	(void)state;
	img.kernel = make(BOOT_BZIMAGE);
	assert_int_equal(boot_load(gm, &img, &entry), 0);
	assert_true(entry.long_mode);
	assert_int_equal(entry.rip, LOAD + 0x200);
	assert_int_equal(entry.rsi, BOOT_INFO);
	assert_string_equal(text_at(LOAD), CODE);
	assert_int_equal(bp->acpi_rsdp_addr, 0xe0000);
	assert_string_equal(text_at(bp->hdr.cmd_line_ptr), "a=b c");
	assert_true(bp->e820_entries >= 4);
}

static void flat(void **state)
{
	(void)state;
	img.format = BOOT_FLAT;
	img.kernel = (struct blob){(const uint8_t *)CODE, sizeof(CODE)};
	assert_int_equal(boot_load(gm, &img, &entry), 0);
	assert_int_equal(entry.rip, BOOT_KERNEL_START);
	assert_string_equal(text_at(BOOT_KERNEL_START), CODE);
}

/* The memory map has no overlaps, and RAM only where there is RAM. */
static void memory_map(void **state)
{
	struct e820_range map[E820_MAX];
	size_t n = e820_build(gm, map);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		if (map[i].type == E820_RAM)
			assert_non_null(gmem_ptr(gm, map[i].addr, map[i].size));
		for (size_t j = 0; j < i; j++)
			assert_true(map[j].addr + map[j].size <= map[i].addr);
	}
}

/* ---- what a bad one leads to ---- */

static void refused(void **state)
{
	static const uint8_t text[] = "#!/bin/sh\necho this is no kernel\n";
	char *big = calloc(1, 70000);

	(void)state;
	img.kernel = (struct blob){text, sizeof(text)};
	assert_int_equal(boot_load(gm, &img, &entry), -ENOEXEC);
	for (enum boot_format f = BOOT_BZIMAGE; f < BOOT_FLAT; f++) {
		img.format = f;
		assert_int_equal(boot_load(gm, &img, &entry), -ENOEXEC);
	}
	img.format = BOOT_AUTO;
	memset(big, 'x', 69999);
	img.cmdline = big;
	for (enum boot_format f = BOOT_BZIMAGE; f <= BOOT_FLAT; f++) {
		img.kernel = make(f);
		assert_true(boot_load(gm, &img, &entry) < 0);
	}
	free(big);
	img.cmdline = "";
	img.kernel = make(BOOT_MULTIBOOT);
	add_multiboot(0x400, 4); /* wants a video mode */
	assert_int_equal(boot_load(gm, &img, &entry), -ENOEXEC);
}

static void initrd_too_large(void **state)
{
	(void)state;
	for (enum boot_format f = BOOT_BZIMAGE; f <= BOOT_FLAT; f++) {
		img.kernel = make(f);
		/* Never read: the size alone decides. */
		img.initrd = (struct blob){file, MEM};
		assert_int_equal(boot_load(gm, &img, &entry), -ENOMEM);
		img.initrd.size = MEM - LOAD;
		assert_int_equal(boot_load(gm, &img, &entry), -ENOMEM);
		img.initrd.size = SIZE_MAX;
		assert_int_equal(boot_load(gm, &img, &entry), -ENOMEM);
	}
}

/* Thousands of refusals need not be read. */
static int stderr_saved;

static void quiet(bool on)
{
	int fd = on ? open("/dev/null", O_WRONLY) : stderr_saved;

	if (on)
		stderr_saved = dup(STDERR_FILENO);
	dup2(fd, STDERR_FILENO);
	close(fd);
}

static void truncated(void **state)
{
	unsigned bad = 0;

	(void)state;
	quiet(true);
	for (enum boot_format f = BOOT_BZIMAGE; f <= BOOT_MULTIBOOT; f++) {
		for (size_t cut = 0; cut < 0x1100; cut += 7) {
			uint8_t *copy;

			img.kernel = make(f);
			copy = malloc(cut + 1);
			memcpy(copy, img.kernel.data, cut);
			img.kernel = (struct blob){copy, cut}; /* ASan sees a read past it */
			if (boot_load(gm, &img, &entry) != -ENOEXEC)
				bad++;
			free(copy);
		}
	}
	quiet(false);
	assert_int_equal(bad, 0);
}

/* CVE-2017-14167 and its kind: headers that lie. Every field takes every nasty value; no access
 * leaves the file or guest memory (ASan), and the result is an error or a bootable state. */
static void lying_fields(void **state)
{
	static const uint64_t nasty[] = {0,
					 1,
					 0x7fffffff,
					 0x80000000,
					 0xffffffff,
					 0xfffffff0,
					 0x100000000,
					 UINT64_MAX,
					 UINT64_MAX - 15,
					 0x8000000000000000,
					 MEM,
					 MEM - 1,
					 LOAD,
					 0xfff};

	(void)state;
	quiet(true);
	for (enum boot_format f = BOOT_BZIMAGE; f <= BOOT_FLAT; f++) {
		for (size_t at = 0; at < 0x460; at += 2) {
			for (size_t v = 0; v < ARRAY_SIZE(nasty); v++) {
				img.kernel = make(f);
				memcpy(file + at, &nasty[v], at % 8 ? 4 : 8);
				boot_load(gm, &img, &entry);
			}
		}
	}
	quiet(false);
}

/*
 * Lies that would do no harm by themselves are refused all the same: the file is not what it says.
 */
static void contradictions(void **state)
{
	static const struct {
		enum boot_format format;
		size_t at;
		uint32_t value;
	} lies[] = {
		{BOOT_MULTIBOOT, 64 + offsetof(Elf32_Phdr, p_memsz),
		 0x80},				       /* less memory than file */
		{BOOT_FLAT, 0x20 + 12, LOAD - 16},     /* the header before the kernel */
		{BOOT_FLAT, 0x20 + 28, LOAD + 0x4000}, /* the entry behind it */
		{BOOT_FLAT, 0x20 + 28, 0x1000},	       /* the entry before it */
		{BOOT_MULTIBOOT, offsetof(Elf32_Ehdr, e_entry), LOAD + 0x10000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		img.kernel = lies[i].format == BOOT_FLAT ? addresses_file() : make(lies[i].format);
		assert_int_equal(boot_load(gm, &img, &entry), 0);
		memcpy(file + lies[i].at, &lies[i].value, 4);
		assert_int_equal(boot_load(gm, &img, &entry), -ENOEXEC);
	}
}

/* A segment of zeros only: what its offset says does not matter. */
static void zeros_from_nowhere(void **state)
{
	const uint64_t offset = UINT64_MAX - 0xffffff;
	const uint64_t filesz = 0;

	(void)state;
	img.kernel = elf_file(true, true);
	memcpy(file + 64 + offsetof(Elf64_Phdr, p_offset), &offset, 8);
	memcpy(file + 64 + offsetof(Elf64_Phdr, p_filesz), &filesz, 8);
	assert_int_equal(boot_load(gm, &img, &entry), 0);
}

static void mutated(void **state)
{
	unsigned seed = test_seed();

	(void)state;
	srandom(seed);
	quiet(true);
	for (int i = 0; i < MUTATION; i++) {
		img.kernel = make(BOOT_BZIMAGE + (enum boot_format)(i % 4));
		for (long n = random() % 8; n >= 0; n--)
			file[random() % 0x480] = (uint8_t)random();
		boot_load(gm, &img, &entry);
	}
	quiet(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pvh),
		cmocka_unit_test(multiboot),
		cmocka_unit_test(multiboot_elf64),
		cmocka_unit_test(multiboot_name_alone),
		cmocka_unit_test(multiboot_low),
		cmocka_unit_test(low_is_multiboots),
		cmocka_unit_test(bzimage),
		cmocka_unit_test(flat),
		cmocka_unit_test(memory_map),
		cmocka_unit_test(refused),
		cmocka_unit_test(initrd_too_large),
		cmocka_unit_test(truncated),
		cmocka_unit_test(lying_fields),
		cmocka_unit_test(contradictions),
		cmocka_unit_test(zeros_from_nowhere),
		cmocka_unit_test(mutated),
	};
	struct CMUnitTest each[ARRAY_SIZE(tests)];

	for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
		each[i] = tests[i];
		each[i].setup_func = setup;
		each[i].teardown_func = teardown;
	}
	return cmocka_run_group_tests(each, NULL, NULL);
}
