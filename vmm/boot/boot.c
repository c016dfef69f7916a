// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/boot/boot.h"

/* NULL, or what is wrong with the file. */
static const char *map_file(struct blob *b, int fd)
{
	struct stat st;
	void *p;

	if (fstat(fd, &st) < 0)
		return strerror(errno);
	if (S_ISDIR(st.st_mode))
		return strerror(EISDIR);
	if (!S_ISREG(st.st_mode))
		return "not a regular file";
	if (!st.st_size)
		return "the file is empty";
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return strerror(errno);
	b->data = p;
	b->size = (size_t)st.st_size;
	return NULL;
}

int blob_open(struct blob *b, const char *what, const char *path)
{
	/* Non-blocking: a FIFO is refused, not waited for. */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), err = -errno;
	const char *wrong;

	*b = (struct blob){NULL, 0};
	if (fd < 0) {
		log_error("%s %s: %s", what, path, strerror(-err));
		return err;
	}
	wrong = map_file(b, fd);
	close_fd(&fd);
	if (!wrong)
		return 0;
	log_error("%s %s: %s", what, path, wrong);
	return -ENOEXEC;
}

void blob_drop(const struct blob *b)
{
	if (b->data)
		madvise((void *)b->data, b->size, MADV_DONTNEED);
}

void blob_close(struct blob *b)
{
	if (b->data)
		munmap((void *)b->data, b->size);
	*b = (struct blob){NULL, 0};
}

int boot_damaged(const struct boot_image *img, const char *what)
{
	log_error("kernel %s: %s", img->name, what);
	return -ENOEXEC;
}

size_t e820_build(const struct gmem *gm, struct e820_range map[E820_MAX])
{
	const struct gmem_region *r;
	size_t n_regions, n = 0;

	r = gmem_regions(gm, &n_regions);
	map[n++] = (struct e820_range){0, BOOT_LOW_END, E820_RAM};
	map[n++] = (struct e820_range){BOOT_LOW_END, 0xa0000 - BOOT_LOW_END, E820_RESERVED};
	map[n++] = (struct e820_range){BOOT_ACPI, BOOT_ACPI_END - BOOT_ACPI, E820_RESERVED};
	if (r[0].size > BOOT_KERNEL_START)
		map[n++] = (struct e820_range){BOOT_KERNEL_START, r[0].size - BOOT_KERNEL_START,
					       E820_RAM};
	/* ECAM, which Linux trusts only when the memory map reserves it. */
	map[n++] = (struct e820_range){0xe0000000, 1 << 20, E820_RESERVED};
	for (size_t i = 1; i < n_regions; i++)
		map[n++] = (struct e820_range){r[i].gpa, r[i].size, E820_RAM};
	return n;
}

static bool may_lie(const struct boot_image *img, gpa_t dst, uint64_t size)
{
	if (dst >= BOOT_KERNEL_START)
		return true;
	return img->low && dst >= BOOT_LOW_START && range_ok(dst, size, BOOT_LOW_END);
}

int boot_put(struct gmem *gm, const struct boot_image *img, gpa_t dst, const void *data,
	     uint64_t size, uint64_t mem_size)
{
	uint64_t total = MAX(size, mem_size);
	uint8_t *p = NULL;

	if (may_lie(img, dst, total))
		p = gmem_ptr(gm, dst, total);
	if (!p && total) {
		log_error("kernel %s: wants %" PRIu64 " bytes at 0x%" PRIx64
			  ", where the guest has no free memory; give it more with --mem",
			  img->name, total, dst);
		return -ENOMEM;
	}
	if (size)
		memcpy(p, data, size);
	if (total > size)
		memset(p + size, 0, total - size);
	return 0;
}

int boot_put_initrd(struct gmem *gm, const struct boot_image *img, gpa_t kernel_end, uint64_t limit,
		    gpa_t *at)
{
	const struct gmem_region *r;
	uint64_t top;
	size_t n;

	*at = 0;
	if (!img->initrd.size)
		return 0;
	r = gmem_regions(gm, &n);
	top = MIN(r[0].size, limit);
	if (img->initrd.size > top || align_down(top - img->initrd.size, 4096) < kernel_end) {
		log_error(
			"initrd of %zu MiB: does not fit into the guest's memory beside the kernel; give it more with --mem",
			(size_t)(img->initrd.size / MIB));
		return -ENOMEM;
	}
	*at = align_down(top - img->initrd.size, 4096);
	return gmem_write(gm, *at, img->initrd.data, img->initrd.size);
}

int boot_put_text(struct gmem *gm, gpa_t gpa, const char *first, const char *rest)
{
	size_t n = strlen(first), len = n + strlen(rest) + 1;
	int err;

	if (len > BOOT_CMDLINE_MAX) {
		log_error("command line of %zu bytes: at most %" PRIu64, len, (uint64_t)BOOT_CMDLINE_MAX);
		return -E2BIG;
	}
	err = gmem_write(gm, gpa, first, n);
	if (err)
		return err;
	return gmem_write(gm, gpa + n, rest, len - n);
}

int boot_put_cmdline(struct gmem *gm, const struct boot_image *img)
{
	return boot_put_text(gm, BOOT_CMDLINE, "", img->cmdline);
}

static enum boot_format detect_format(const struct blob *b)
{
	uint64_t entry;

	if (elf_is(b) && elf_pvh_entry(b, &entry))
		return BOOT_PVH;
	if (multiboot_is(b))
		return BOOT_MULTIBOOT;
	return bzimage_is(b) ? BOOT_BZIMAGE : BOOT_AUTO;
}

static const char unknown_kind[] =
	"not a kernel of a known kind; want a bzImage, a vmlinux with a PVH note, or a multiboot image";
static const char unknown_elf[] = "an ELF file with neither a PVH note nor a multiboot header, or a truncated one";

int boot_load(struct gmem *gm, const struct boot_image *img, struct boot_entry *entry)
{
	static int (*const loaders[])(struct gmem *, const struct boot_image *,
				      struct boot_entry *) = {
		[BOOT_BZIMAGE] = boot_bzimage,
		[BOOT_PVH] = boot_pvh,
		[BOOT_MULTIBOOT] = boot_multiboot,
		[BOOT_FLAT] = boot_flat,
	};
	enum boot_format format = img->format;

	if (format == BOOT_AUTO)
		format = detect_format(&img->kernel);
	if (format == BOOT_AUTO)
		return boot_damaged(img, elf_is(&img->kernel) ? unknown_elf : unknown_kind);
	if (gmem_size(gm) < 2 * MIB) {
		log_error("guest memory of %" PRIu64
			  " KiB: too little for any kernel; want 2M or more",
			  gmem_size(gm) / KIB);
		return -ENOMEM;
	}
	memset(entry, 0, sizeof(*entry));
	return loaders[format](gm, img, entry);
}
