/* SPDX-License-Identifier: MIT */
/* What the machines that are QEMU share. */
#ifndef BENCH_LAB_LAB_QEMU_H
#define BENCH_LAB_LAB_QEMU_H

#include "base/strlist.h"

struct lab;
struct machine_boot;

/* What is different in each. */
struct qemu_machine {
	const char *cpu, *devices; /* -cpu, and more words of the command line */
	unsigned errata;	   /* what is mended: 1 << enum lab_erratum each */
	/* The words that name what is booted. */
	void (*add_kernel)(struct strlist *a, const struct machine_boot *boot);
	const char *disk_devices; /* words for what the block node "disk" is given to; NULL: there is none */
};

/* As in struct machine. */
char *lab_qemu_missing(char **version);
int lab_qemu_start(struct lab *lab, const struct machine_boot *boot, const struct qemu_machine *is);

#endif
