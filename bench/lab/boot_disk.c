// SPDX-License-Identifier: MIT
#include "bench/lab/boot_disk.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

#define CYLINDER    (16 * 63) /* sectors; the emulator wants whole ones */
#define LOW_BYTES   (1 * MIB)               /* below: the BIOS and boot.S */
#define TOP_BYTES   (2 * MIB)               /* the BIOS keeps its tables there */
#define INITRD_STEP (2 * MIB)

extern const unsigned char boot_code[], boot_code_end[];

_Static_assert(sizeof(struct boot_header) == 16 + 16 * BOOT_PIECES + BOOT_LINE_SIZE, "as boot.S has it");

struct writer {
	int fd;
	struct boot_header header;
	unsigned n_pieces;
	uint32_t sector;  /* the next free one */
	uint64_t end;     /* of what is loaded so far */
	uint64_t mem_end; /* of what may be used */
};

static uint32_t sectors(uint64_t bytes)
{
	return (uint32_t)((bytes + BOOT_SECTOR - 1) / BOOT_SECTOR);
}

static int copy_bytes(int out, int in, off_t at, uint64_t n)
{
	while (n) {
		ssize_t done = sendfile(out, in, &at, n);

		if (done < 0)
			return -errno;
		if (!done)
			return -EIO;
		n -= (uint64_t)done;
	}
	return 0;
}

/* A kernel's last segment ends in 24 MiB of zeros, which boot.S makes faster than it reads them. */
static int trim_zeros(int fd, off_t at, uint64_t *size)
{
	static const char zeros[BOOT_SECTOR];
	char buf[BOOT_SECTOR];

	while (*size) {
		size_t n = MIN(*size, sizeof(buf));

		if (pread(fd, buf, n, at + (off_t)(*size - n)) != (ssize_t)n)
			return -EIO;
		if (memcmp(buf, zeros, n) != 0)
			break;
		*size -= n;
	}
	return 0;
}

/*
 * Size bytes of in from at on are to be found at dest, then zeros up to full bytes. What fills the last
 * sector comes from the image and is zero.
 */
static int add_piece(struct writer *w, int in, off_t at, uint64_t size, uint64_t dest, uint64_t full)
{
	struct boot_piece *p = &w->header.piece[w->n_pieces];
	uint64_t read;
	int err;

	if (w->n_pieces + 1 >= BOOT_PIECES)
		return -E2BIG;
	if (size > full || full > w->mem_end || dest < LOW_BYTES ||
	    !range_ok(dest, full + BOOT_SECTOR, w->mem_end))
		return -EFBIG;
	err = trim_zeros(in, at, &size);
	if (err)
		return err;
	read = (uint64_t)sectors(size) * BOOT_SECTOR;
	*p = (struct boot_piece){(uint32_t)dest, w->sector, sectors(size), 0};
	if (full > read)
		p->zeros = (uint32_t)(full - read);
	w->n_pieces++;
	w->end = MAX(w->end, dest + full);
	if (lseek(w->fd, (off_t)w->sector * BOOT_SECTOR, SEEK_SET) < 0)
		return -errno;
	w->sector += p->n_sectors;
	return copy_bytes(w->fd, in, at, size);
}

static int read_at(int fd, void *buf, size_t len, uint64_t at)
{
	if (pread(fd, buf, len, (off_t)at) != (ssize_t)len)
		return -ENOEXEC;
	return 0;
}

static int add_kernel(struct writer *w, int fd)
{
	Elf64_Ehdr e;
	int err = read_at(fd, &e, sizeof(e), 0);

	if (err || memcmp(e.e_ident, ELFMAG, SELFMAG) || e.e_ident[EI_CLASS] != ELFCLASS64 ||
	    e.e_machine != EM_X86_64 || e.e_phentsize != sizeof(Elf64_Phdr))
		return -ENOEXEC;
	w->header.entry = (uint32_t)e.e_entry;
	for (unsigned i = 0; i < e.e_phnum && !err; i++) {
		Elf64_Phdr p;

		err = read_at(fd, &p, sizeof(p), e.e_phoff + i * sizeof(p));
		if (!err && p.p_type == PT_LOAD && p.p_memsz)
			err = add_piece(w, fd, (off_t)p.p_offset, p.p_filesz, p.p_paddr, p.p_memsz);
	}
	if (!err && !w->n_pieces)
		err = -ENOEXEC;
	return err;
}

static int add_initrd(struct writer *w, int fd)
{
	uint64_t base = align_up(w->end, INITRD_STEP);
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	w->header.initrd = (uint32_t)base;
	w->header.initrd_size = (uint32_t)st.st_size;
	return add_piece(w, fd, 0, (uint64_t)st.st_size, base, (uint64_t)st.st_size);
}

static int add_file(struct writer *w, const char *path, int (*add)(struct writer *, int))
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = errno_if(fd < 0);

	if (!err)
		err = add(w, fd);
	close_fd(&fd);
	if (err)
		log_error("lab: %s cannot be put on a boot disk of a machine with %llu MiB: %s", path,
			  (unsigned long long)((w->mem_end + TOP_BYTES) / MIB), strerror(-err));
	return err;
}

static int write_code(struct writer *w)
{
	size_t len = (size_t)(boot_code_end - boot_code);
	unsigned char *code = xcalloc(1, len);
	int err;

	memcpy(code, boot_code, len);
	memcpy(code + BOOT_HEADER_AT, &w->header, sizeof(w->header));
	err = errno_if(lseek(w->fd, 0, SEEK_SET) < 0);
	if (!err)
		err = fd_write_all(w->fd, code, len);
	free(code);
	return err;
}

static int write_rest(struct writer *w)
{
	uint64_t cylinders = (w->sector + CYLINDER - 1) / CYLINDER;
	int err = write_code(w);

	if (!err && ftruncate(w->fd, (off_t)(cylinders * CYLINDER * BOOT_SECTOR)))
		err = -errno;
	if (err)
		log_error("lab: the boot disk cannot be written: %s", strerror(-err));
	return err;
}

int boot_disk_write(int fd, const struct boot_spec *spec)
{
	struct writer w = {.fd = fd, .mem_end = spec->mem_bytes - TOP_BYTES};
	int err;

	w.sector = sectors((uint64_t)(boot_code_end - boot_code));
	if (strlen(spec->command_line) >= sizeof(w.header.command_line)) {
		log_error("lab: the kernel's command line is longer than %zu characters",
			  sizeof(w.header.command_line) - 1);
		return -E2BIG;
	}
	strcpy(w.header.command_line, spec->command_line);
	err = add_file(&w, spec->vmlinux, add_kernel);
	if (err)
		return err;
	err = add_file(&w, spec->initrd, add_initrd);
	if (err)
		return err;
	return write_rest(&w);
}
