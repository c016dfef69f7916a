/* SPDX-License-Identifier: MIT */
/*
 * How a kernel comes into the PC of an HVM domain. Handed to Xen's QEMU it would be read byte by byte from a
 * port, at which the lab is for minutes. So the firmware starts the kernel's first part alone with a jump
 * behind it: to the rest, which QEMU has put into the domain's memory, as it has the initial RAM file system.
 */
#ifndef BENCH_VMMS_DOMAIN_PC_H
#define BENCH_VMMS_DOMAIN_PC_H

#include <stddef.h>
#include <stdint.h>

/* Between what the firmware tries and the kernel, and above both where the kernel unpacks itself. */
#define PC_INITRD_AT 0x1000000u
#define PC_KERNEL_AT 0x2000000u
/* Below, with 64 MiB for Debian's kernel and what the firmware takes at the top, there is no room. */
#define PC_MEM_MIB 128u

/*
 * A bzImage's first part and the jump into out, which has size bytes: 0 with their length in *len, and where
 * in memory the whole file has to begin in *file_at. -EINVAL: it is none, or there is no room.
 */
int pc_first_part(const void *image, size_t image_size, uint64_t initrd_size, void *out, size_t size,
		  size_t *len, uint64_t *file_at);
/* The same of files, initrd NULL or not, into the file to. 0 or -errno (logged). */
int pc_write_first_part(const char *kernel, const char *initrd, const char *to, uint64_t *file_at);

#endif
