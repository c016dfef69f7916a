/* SPDX-License-Identifier: MIT */
/*
 * A disk image that boots an uncompressed Linux kernel and its initramfs on a machine with a BIOS: boot.S,
 * then the kernel's segments, then the initramfs, each from a sector of its own on.
 *
 *      sector 0..15   boot.S; struct boot_header at byte BOOT_HEADER_AT of it
 *      16...          the pieces that the header names
 *
 * Equal inputs give equal images.
 */
#ifndef BENCH_LAB_BOOT_DISK_H
#define BENCH_LAB_BOOT_DISK_H

#include "base/util.h"

#define BOOT_SECTOR      512
#define BOOT_PIECES      32 /* the last one is empty: it ends the list */
#define BOOT_LINE_SIZE   4096
#define BOOT_HEADER_AT   0x800

/* Numbers are little-endian, as everything here. */
struct boot_header {
	uint32_t entry; /* of the kernel, physical */
	uint32_t initrd, initrd_size;
	uint32_t reserved;
	struct boot_piece {
		uint32_t dest, sector, n_sectors, zeros;
	} piece[BOOT_PIECES];
	char command_line[BOOT_LINE_SIZE];
};

struct boot_spec {
	const char *vmlinux, *initrd; /* files */
	const char *command_line;
	uint64_t mem_bytes; /* of the machine; below 4 GiB */
};

/* Writes the image into an empty file. 0, or -errno with one message logged. */
int boot_disk_write(int fd, const struct boot_spec *spec);

#endif
