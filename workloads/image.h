/* SPDX-License-Identifier: MIT */
/*
 * The Linux guest's initramfs: the agent as /init, the job, and exactly the modules that a mode
 * needs. Equal inputs give equal bytes, so an image is named by its hash and kept.
 *
 *      /init               the agent
 *      /exitlab.job        one line, workloads/job.h
 *      /modules/NN-NAME.ko loaded in this order (names sort in load order)
 *      /dev/console        so that a panic or an early message has somewhere to go
 *      files and programs  at the paths given
 */
#ifndef WORKLOADS_IMAGE_H
#define WORKLOADS_IMAGE_H

#include "workloads/cpio.h"
#include "workloads/modules.h"

struct image_file {
	const char *path; /* in the guest */
	const char *host_path;
	mode_t perm;
};

struct image_spec {
	const char *agent;	    /* static program: build/agent */
	const char *moddir;	    /* .../lib/modules/VERSION; may be NULL when modules is empty */
	const char *const *modules; /* NULL-terminated names, without dependencies; or NULL */
	const char *job;	    /* job line, or NULL */
	const struct image_file *files;
	size_t n_files;
	const char *const *programs; /* NULL-terminated host paths; their shared libraries come
					along; or NULL */
	const char *bin_dir; /* where programs other than the system's are put; NULL: at their paths */
	/* An unpacked tree, or NULL, and files of it (programs with their libraries) at their places in it */
	const char *tree;
	const char *const *tree_files;
};

/* Into an open file, from where it stands on. 0 or -errno (logged). */
int image_write(const struct image_spec *spec, int fd);
/*
 * Into DIR/SHA256.cpio, atomically, unless it is there already; *path is the caller's to free. 0 or -errno
 * (logged).
 */
int image_build_in(const struct image_spec *spec, const char *dir, char **path);
/* A program and its libraries; bin_dir and tree as in image_spec. */
int image_add_program(struct cpio *c, const char *host_path, const char *bin_dir, const char *tree);

#endif
