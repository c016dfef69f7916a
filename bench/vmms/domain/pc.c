// SPDX-License-Identifier: MIT
#include "bench/vmms/domain/pc.h"

#include <asm/bootparam.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/util.h"

#define HEADER_AT   0x1f1
#define HEADER_WORD 0x53726448 /* "HdrS" */
#define SECTOR	    512u
#define MAX_SECTORS 64u /* which one byte of the header could say more of, and no kernel does */

static void put_u32(uint8_t *to, uint32_t value)
{
	memcpy(to, &value, sizeof(value));
}

/*
 * In place of the rest of the kernel, entered as that would be (32 bits, ESI has the boot parameters): says
 * where the initial RAM file system is, which QEMU's option ROM has elsewhere, and goes to where the rest is.
 */
static void put_jump(uint8_t *to, uint64_t initrd_size)
{
	static const uint8_t code[] = {
		0xc7, 0x86, 0x18, 0x02, 0, 0, 0, 0, 0, 0, /* movl $0, 0x218(%esi) */
		0xc7, 0x86, 0x1c, 0x02, 0, 0, 0, 0, 0, 0, /* movl $0, 0x21c(%esi) */
		0xb8, 0, 0, 0, 0, 0xff, 0xe0,		  /* movl $0, %eax; jmp *%eax */
	};

	memcpy(to, code, sizeof(code));
	if (initrd_size)
		put_u32(to + 6, PC_INITRD_AT);
	put_u32(to + 16, (uint32_t)initrd_size);
	put_u32(to + 21, PC_KERNEL_AT);
}

int pc_first_part(const void *image, size_t image_size, uint64_t initrd_size, void *out, size_t size,
		  size_t *len, uint64_t *file_at)
{
	struct setup_header h;
	size_t setup;

	if (image_size < HEADER_AT + sizeof(h))
		return -EINVAL;
	memcpy(&h, (const uint8_t *)image + HEADER_AT, sizeof(h));
	setup = (or_usual(h.setup_sects, 4) + 1) * SECTOR;
	if (h.header != HEADER_WORD || !h.relocatable_kernel || setup > image_size || setup + SECTOR > size ||
	    initrd_size > PC_KERNEL_AT - PC_INITRD_AT)
		return -EINVAL;
	memcpy(out, image, setup);
	memset((uint8_t *)out + setup, 0, SECTOR);
	put_jump((uint8_t *)out + setup, initrd_size);
	*len = setup + SECTOR;
	*file_at = PC_KERNEL_AT - setup;
	return 0;
}

static int size_of(const char *path, uint64_t *size)
{
	struct stat st = {0};
	int err = 0;

	if (path)
		err = errno_if(stat(path, &st));
	*size = (uint64_t)st.st_size;
	return err;
}

/* As much of it as may be its first part. */
static ssize_t read_head(const char *path, uint8_t *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = pread(fd, buf, size, 0);
	if (n < 0)
		n = -errno;
	close(fd);
	return n;
}

int pc_write_first_part(const char *kernel, const char *initrd, const char *to, uint64_t *file_at)
{
	uint8_t head[MAX_SECTORS * SECTOR], part[sizeof(head) + SECTOR];
	ssize_t n = read_head(kernel, head, sizeof(head));
	uint64_t initrd_size;
	size_t len;
	int err = size_of(initrd, &initrd_size);

	if (n < 0)
		err = (int)n;
	if (!err)
		err = pc_first_part(head, (size_t)n, initrd_size, part, sizeof(part), &len, file_at);
	if (!err)
		err = file_write_atomic(to, part, len);
	if (err)
		log_error("%s, %s: %s; an HVM domain wants a relocatable bzImage and at most 16 MiB beside it",
			  kernel, text_or(initrd, "no initrd"), strerror(-err));
	return err;
}
