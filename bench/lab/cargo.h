/* SPDX-License-Identifier: MIT */
/*
 * What a sealed lab has to hold, since it reads nothing of the host: programs with their libraries, and
 * files.
 */
#ifndef BENCH_LAB_CARGO_H
#define BENCH_LAB_CARGO_H

#include "base/strlist.h"
#include "bench/lab/lab.h"
#include "workloads/image.h"

struct cargo {
	struct strlist programs; /* host paths */
	struct image_file *files;
	size_t n_files;
};

/* Copies of both paths. */
void cargo_add_file(struct cargo *c, const char *path, const char *host_path, mode_t perm);
/* Adds nothing when path is NULL or there is no such program. */
void cargo_add_program(struct cargo *c, const char *path);
/*
 * A file of an unpacked kernel, "modules/..." too, where path_kernel finds it as the default one in the
 * lab.
 */
void cargo_add_kernel_file(struct cargo *c, const char *kernel_dir, const char *name);
/* Modules with all they need, and what modules_resolve reads to find them. 0 or -errno (logged). */
int cargo_add_modules(struct cargo *c, const char *kernel_dir, const struct strlist *names);
/* The same of the lab's own kernel (NULL: the usual one), under its release, for the lab itself to load. */
int cargo_add_lab_modules(struct cargo *c, const char *kernel, const struct strlist *names);
/*
 * Our own programs and the micro guest beside them; bin_dir: where they will lie; vmm, and the directory of
 * our helpers: instead of the usual ones, or NULL.
 */
void cargo_add_ours(struct cargo *c, const char *bin_dir, const char *vmm, const char *helper_dir);
/* A shell with the usual tools as /bin/sh: busybox', or this host's without them. */
void cargo_add_shell(struct cargo *c);
/* A program as the shell would find it, a directory with what is in it, a file. 0 or -errno (logged). */
int cargo_add_command(struct cargo *c, const char *name);
int cargo_add_path(struct cargo *c, const char *path);

/* Names the cargo's files and programs in spec, which must not outlive the cargo. */
void cargo_into(const struct cargo *c, struct lab_spec *spec);
void cargo_free(struct cargo *c);

#endif
