/* SPDX-License-Identifier: MIT */
/*
 * A VMM under test. An adapter turns what a sample wants into a command line; everything else (image,
 * marker window, probes, traffic) is the same for all. A new VMM: one file NAME.c and one row in
 * vmms.c.
 */
#ifndef BENCH_VMMS_VMM_H
#define BENCH_VMMS_VMM_H

#include "base/strlist.h"
#include "bench/modes/path.h"

struct vmm_want {
	const char *program;     /* what the adapter said */
	bool micro;              /* the guest is the micro guest: kernel only */
	const char *kernel;      /* directory of the unpacked kernel, or the micro guest's image */
	const char *initrd, *cmdline;
	unsigned cpus;
	uint64_t mem_bytes;
	const struct device_path *path; /* as its mode has made it */
	const struct knobs *knobs;
	bool unsafe_interrupts;
	const char *console_path;
	int agent_fd;            /* one end of a socket pair: the guest's second serial port */
	int stats_fd;            /* builtin: the statistics page */
	const char *variant;     /* "accel=tcg" of --vmm=qemu:accel=tcg, or "" */
};

struct vmm_adapter {
	const char *name, *summary;
	bool ours;           /* built here: it has our statistics page and our version */
	/* The program that is run: a path, or a name in PATH. NULL when it is not there (logged). */
	const char *(*program)(void);
	/* NULL when it can be used here, else why not and what to do (caller frees). */
	char *(*unusable)(void);
	/* Append program and arguments. -ENOTSUP with a logged line for what this VMM cannot do. */
	int (*command)(const struct vmm_want *want, struct strlist *args);
};

/* Logged: this VMM does not know the mode's device, or who is to serve it. -ENOTSUP. */
int vmm_refuse_mode(const struct vmm_adapter *vmm, const struct mode *mode);

/* The table ends with NULL. */
extern const struct vmm_adapter *const vmm_adapters[];
const struct vmm_adapter *vmm_adapter_find(const char *name, size_t len);

#endif
