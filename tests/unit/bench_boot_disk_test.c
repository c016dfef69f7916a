// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "bench/lab/boot_disk.h"
#include "tests/unit/fake_record.h"

extern const unsigned char boot_code[], boot_header[], boot_code_end[];

#define N_SEGMENTS 3

/* A kernel as small as can be; segment 1 has 100 bytes and 5,000 in memory, 2 none in the file. */
struct kernel {
	Elf64_Ehdr e;
	Elf64_Phdr p[N_SEGMENTS];
	unsigned char body[700];
};

static struct kernel kernel_make(void)
{
	struct kernel k = {
		.e = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		      .e_machine = EM_X86_64,
		      .e_entry = 0x1000010,
		      .e_phoff = offsetof(struct kernel, p),
		      .e_phentsize = sizeof(Elf64_Phdr),
		      .e_phnum = N_SEGMENTS},
		.p = {{.p_type = PT_LOAD,
		       .p_offset = offsetof(struct kernel, body),
		       .p_paddr = 0x1000000,
		       .p_filesz = 600,
		       .p_memsz = 600},
		      {.p_type = PT_LOAD,
		       .p_offset = offsetof(struct kernel, body) + 600,
		       .p_paddr = 0x1400000,
		       .p_filesz = 100,
		       .p_memsz = 5000},
		      {.p_type = PT_LOAD, .p_paddr = 0x1600000, .p_memsz = 64}},
	};

	memset(k.body, 'A', 600);
	memset(k.body + 600, 'B', 100);
	return k;
}

static char *put(const char *dir, const char *name, const void *data, size_t len)
{
	char *path = xasprintf("%s/%s", dir, name);

	assert_int_equal(file_write_atomic(path, data, len), 0);
	return path;
}

static int write_disk(const struct kernel *k, size_t k_len, const char *line, uint64_t mem, int *fd)
{
	char *dir = fake_dir(), *vmlinux = put(dir, "vmlinux", k, k_len);
	char *initrd = put(dir, "initrd", "initramfs", 9);
	struct boot_spec spec = {vmlinux, initrd, line, mem};
	int err;

	*fd = memfd_create("disk", MFD_CLOEXEC);
	err = boot_disk_write(*fd, &spec);
	dir_remove_all(dir);
	free(vmlinux);
	free(initrd);
	free(dir);
	return err;
}

static void the_code_and_its_header_agree(void **state)
{
	(void)state;
	assert_int_equal(boot_header - boot_code, BOOT_HEADER_AT);
	assert_true(BOOT_HEADER_AT + sizeof(struct boot_header) <= (size_t)(boot_code_end - boot_code));
	assert_int_equal((boot_code_end - boot_code) % BOOT_SECTOR, 0);
	assert_int_equal(boot_code[510], 0x55);
	assert_int_equal(boot_code[511], 0xaa);
}

static void check_piece(const struct boot_piece *p, uint32_t dest, uint32_t sector, uint32_t n,
			uint32_t zeros)
{
	assert_int_equal(p->dest, dest);
	assert_int_equal(p->sector, sector);
	assert_int_equal(p->n_sectors, n);
	assert_int_equal(p->zeros, zeros);
}

static void each_piece_lies_where_the_header_says(void **state)
{
	struct kernel k = kernel_make();
	struct boot_header h;
	char text[10] = "";
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(write_disk(&k, sizeof(k), "quiet nokaslr", 64 * MIB, &fd), 0);
	assert_int_equal(pread(fd, &h, sizeof(h), BOOT_HEADER_AT), sizeof(h));
	assert_int_equal(h.entry, 0x1000010);
	assert_string_equal(h.command_line, "quiet nokaslr");
	check_piece(&h.piece[0], 0x1000000, 16, 2, 0);
	check_piece(&h.piece[1], 0x1400000, 18, 1, 5000 - 512);
	check_piece(&h.piece[2], 0x1600000, 19, 0, 64);
	/* The initramfs begins at the next 2 MiB. */
	check_piece(&h.piece[3], 0x1800000, 19, 1, 0);
	check_piece(&h.piece[4], 0, 0, 0, 0);
	assert_int_equal(h.initrd, 0x1800000);
	assert_int_equal(h.initrd_size, 9);
	assert_int_equal(pread(fd, text, 9, 19 * BOOT_SECTOR), 9);
	assert_string_equal(text, "initramfs");
	assert_int_equal(pread(fd, text, 2, 18 * BOOT_SECTOR + 99), 2);
	assert_memory_equal(text, "B\0", 2); /* the last sector is filled up with zeros */
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 16 * 63 * BOOT_SECTOR);
	close(fd);
}

static void refused(const struct kernel *k, size_t len, const char *line, uint64_t mem, int want)
{
	int fd;

	assert_int_equal(write_disk(k, len, line, mem, &fd), want);
	close(fd);
}

static void what_cannot_boot_is_refused(void **state)
{
	struct kernel k = kernel_make();
	char *line = xcalloc(1, BOOT_LINE_SIZE + 1);

	(void)state;
	refused(&k, 20, "", 64 * MIB, -ENOEXEC);
	refused(&k, sizeof(k.e), "", 64 * MIB, -ENOEXEC); /* its program headers are missing */
	refused(&k, sizeof(k) - 10, "", 64 * MIB, -EIO);  /* the end of a segment is */
	refused(&k, sizeof(k), "", 24 * MIB, -EFBIG);
	memset(line, 'x', BOOT_LINE_SIZE);
	refused(&k, sizeof(k), line, 64 * MIB, -E2BIG);
	free(line);
	k.p[1].p_paddr = 0x7c00; /* over boot.S */
	refused(&k, sizeof(k), "", 64 * MIB, -EFBIG);
	k.p[1].p_paddr = UINT64_MAX - 0x1000;
	refused(&k, sizeof(k), "", 64 * MIB, -EFBIG);
	k = kernel_make();
	k.p[1].p_memsz = UINT64_MAX;
	refused(&k, sizeof(k), "", 64 * MIB, -EFBIG);
	k = kernel_make();
	k.p[0].p_filesz = k.p[0].p_memsz + 1;
	refused(&k, sizeof(k), "", 64 * MIB, -EFBIG);
	k = kernel_make();
	k.e.e_ident[EI_CLASS] = ELFCLASS32;
	refused(&k, sizeof(k), "", 64 * MIB, -ENOEXEC);
	k = kernel_make();
	k.e.e_phnum = 0;
	refused(&k, sizeof(k), "", 64 * MIB, -ENOEXEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_code_and_its_header_agree),
		cmocka_unit_test(each_piece_lies_where_the_header_says),
		cmocka_unit_test(what_cannot_boot_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
