/* SPDX-License-Identifier: MIT */
/* What each program is attached to, found among the kernel's names (probes/kernel.h) and not by libbpf. */
#ifndef PROBES_HOOKS_H
#define PROBES_HOOKS_H

#define HOOK_KINDS 3

struct kernel;

struct hooks {
	int handler[HOOK_KINDS];
	int n;
};

/* Before the object with the programs is opened; k outlives it. 0 or -errno. */
int hooks_begin(struct hooks *h, const struct kernel *k);
/* When the programs are loaded and attached: nothing asks for what they are attached to any more. */
void hooks_end(struct hooks *h);

#endif
