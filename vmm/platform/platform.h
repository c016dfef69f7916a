/* SPDX-License-Identifier: MIT */
/* The devices that every machine has, at the addresses that PCs have them (docs/vmm.md lists them).
 */
#ifndef VMM_PLATFORM_PLATFORM_H
#define VMM_PLATFORM_PLATFORM_H

#include "vmm/core/machine.h"

struct boot_image;
struct platform;

struct platform_opts {
	const char *console; /* "stdio", a file, "none" */
	const char *agent;   /* COM2: "none", "stdio", "fd=N", "unix:PATH", a file */
	const struct boot_image *image; /* for fw_cfg; NULL: nothing is loaded */
};

/* All of them; no KVM needed. 0 or -errno (logged). */
int platform_create(struct platform **out, struct vm *vm, const struct platform_opts *opts);
/* The consoles' last output, and the terminal as it was: before an end without platform_destroy. */
void platform_flush(struct platform *p);
void platform_destroy(struct platform *p);
void platform_reset(struct platform *p);

#endif
