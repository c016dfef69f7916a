/* SPDX-License-Identifier: MIT */
/*
 * The lab: one emulated machine (QEMU, TCG) with SVM, IOMMU and an SR-IOV wire, running one command of this
 * host.
 */
#ifndef BENCH_LAB_LAB_H
#define BENCH_LAB_LAB_H

#include "base/util.h"

struct image_file;

struct lab_spec {
	char *const *argv;
	const char *cwd;          /* NULL: here */
	const char *kernel;       /* "default" or "newer" (NULL: default) */
	const char *append;       /* more words for its command line, or NULL */
	const char *out_dir;      /* results: writable in the lab at the same path, or NULL */
	const char *rw_dir;       /* one more directory that is writable (the store), or NULL */
	uint64_t timeout_ns;      /* of the whole lab; 0: none */
	bool terminal;            /* the command gets a terminal; ours is set raw */
	bool pass_stdin;
	/*
	 * Deterministic: one core, instruction counting, everything in RAM: what the command needs is
	 * listed here.
	 */
	bool deterministic;
	const char *sealed_out;      /* out_dir's name inside */
	const char *const *programs; /* NULL-terminated host paths; their libraries come along */
	const char *bin_dir;         /* as in struct image_spec */
	const struct image_file *files;
	size_t n_files;
	uint64_t mem_mib;         /* 0: 2048; more than that breaks the SR-IOV mailbox */
};

/*
 * Exit status of the command in *status. 0, or -errno with one message logged: no lab to be had, time-out;
 * -EHOSTDOWN when it was up and then hung, panicked or ended by itself.
 */
int lab_run(const struct lab_spec *spec, int *status);
/*
 * Why there can be no lab on this machine, or NULL; *qemu_version for the record (may be NULL). Caller
 * frees both.
 */
char *lab_missing(char **qemu_version);

#endif
