/* SPDX-License-Identifier: MIT */
/* The lab: one emulated machine (machine.h) that runs one command of this host. */
#ifndef BENCH_LAB_LAB_H
#define BENCH_LAB_LAB_H

#include "bench/host/outer.h"

/* Of a lab that holds only what travels in its initramfs; a path's length shows in virtual time. */
#define LAB_SEALED_CACHE "/cache"
#define LAB_SEALED_BIN	 "/exitlab"

struct image_file;
struct machine;

struct lab_spec {
	const struct machine *machine; /* NULL: the default */
	char *const *argv;
	const char *cwd;          /* the command's working directory; NULL: ours */
	const char *kernel;       /* "default" or "newer" (NULL: default) */
	const char *append;       /* more words for its command line, or NULL */
	const char *out_dir;      /* results: writable in the lab at the same path, or NULL */
	uint64_t timeout_ns;      /* of the whole lab; 0: none */
	uint64_t cpu_ns;          /* without one: of its emulator's processor time; 0: none */
	bool terminal;            /* the command gets a terminal; ours is set raw */
	bool pass_stdin;
	bool deterministic; /* equal to the last digit: one core, instruction counting */
	bool nvme;          /* ... with the NVMe controller that others always have */
	/* A deterministic lab, and one that does not talk, holds what is listed here and nothing else. */
	const char *sealed_out;      /* out_dir's name inside; NULL: the same */
	const char *const *programs; /* NULL-terminated host paths; their libraries come along */
	const char *bin_dir;         /* as in struct image_spec */
	const struct image_file *files;
	size_t n_files;
	uint64_t mem_mib;         /* 0: the machine's own */
	struct outer tell;        /* what a bench inside is told, beside what the machine is */
};

/*
 * Exit status of the command in *status. 0, or -errno with one message logged: no lab to be had, time-out;
 * -EHOSTDOWN when it was up and then hung, panicked or ended by itself.
 */
int lab_run(const struct lab_spec *spec, int *status);
/* The substrate of a record that is made here: "host", or that of the lab we are in. */
const char *lab_substrate(void);
/*
 * Why there can be no such lab (NULL: the default) on this machine, or NULL; *version of its emulator (may
 * be NULL). Caller frees both.
 */
char *lab_missing(const struct machine *m, char **version);

#endif
