/* SPDX-License-Identifier: MIT */
/*
 * The machines that a lab can be. A new one: a file that ends in a const struct machine, and a row in
 * machines.c.
 */
#ifndef BENCH_LAB_MACHINE_H
#define BENCH_LAB_MACHINE_H

#include "base/util.h"

struct lab;
struct strbuf;

/* How what its init says reaches us; the frames are those of lab_wire.h. */
enum lab_channel {
	LAB_TALKS,  /* frames go both ways while it runs */
	LAB_SPEAKS, /* it sends frames while it runs, and hears nothing */
	LAB_LEAVES, /* it writes frames to a file, which is read when the machine has ended */
};

/* What a machine is started with. */
struct machine_boot {
	const char *vmlinux, *initrd, *command_line;
	/* The configuration. One that talks gets it when it is up, and may add to it before. */
	struct strbuf *config;
};

struct machine {
	const char *name;      /* --lab=NAME */
	const char *substrate; /* of its records */
	const char *emulator;  /* as messages and records call it */
	const char *summary;
	const char *kvm;       /* the name of its KVM module; NULL: it has no KVM */
	unsigned has;          /* the needs (workloads/workloads.h) that it meets */
	uint64_t mem_mib;      /* the memory it has unless told otherwise */
	enum lab_channel channel, deterministic_channel;
	const char *const *modules; /* what its init loads, NULL-terminated */
	/*
	 * A tree of unpacked packages in the cache, which are there as if they were installed, or NULL; and
	 * of it the files of which a sealed lab is made, programs with their libraries. NULL-terminated.
	 */
	const char *packages;
	const char *const *files;
	const char *kernel_args;
	/* Why there can be none here, or NULL; *version of the emulator (may be NULL). Caller frees both. */
	char *(*missing)(char **version);
	/* 0 or -errno (logged). lab_run ends the process and closes the descriptors that start has made. */
	int (*start)(struct lab *lab, const struct machine_boot *boot);
};

extern const struct machine machine_amd, machine_intel, machine_xen;
/* Ends with NULL; the first one is the default. */
extern const struct machine *const machine_table[];

/* NULL when there is none; the default one when name is NULL. */
const struct machine *machine_find(const char *name);
/* Where its packages are on this machine; NULL when it has none. Caller frees. */
char *machine_tree(const struct machine *m);

#endif
