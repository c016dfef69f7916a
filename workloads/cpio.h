/* SPDX-License-Identifier: MIT */
/*
 * A writer of "newc" cpio archives (the kernel's initramfs format) whose output depends on nothing
 * but the entries: sorted by path, parents added, inode numbers counted, owner root, every time 0.
 * Equal entries give equal bytes.
 *
 *      struct cpio *c = cpio_new();
 *      cpio_add_file(c, "init", 0755, "build/agent");
 *      cpio_add_data(c, "exitlab.job", 0644, line, len);
 *      err = cpio_write(c, fd);
 *      cpio_free(c);
 */
#ifndef WORKLOADS_CPIO_H
#define WORKLOADS_CPIO_H

#include <sys/types.h>
#include "base/util.h"

struct cpio;

struct cpio *cpio_new(void);
void cpio_free(struct cpio *c);

/*
 * Paths are relative to the archive's root; a leading "/" is dropped. Adding a path again replaces
 * it. Data is copied. A path with a ".." component or an empty one is -EINVAL.
 */
int cpio_add_dir(struct cpio *c, const char *path, mode_t perm);
int cpio_add_data(struct cpio *c, const char *path, mode_t perm, const void *data, size_t len);
/* Content of a host file, read now. -errno is logged with the file's name. */
int cpio_add_file(struct cpio *c, const char *path, mode_t perm, const char *host_path);
int cpio_add_symlink(struct cpio *c, const char *path, const char *target);
/* type_perm: S_IFCHR | 0600 and the like. */
int cpio_add_node(struct cpio *c, const char *path, mode_t type_perm, unsigned major,
		  unsigned minor);

/* The whole archive with its trailer. 0 or -errno, not logged. */
int cpio_write(struct cpio *c, int fd);
/* SHA-256 of what cpio_write would write, in hex. */
void cpio_sha256(struct cpio *c, char hex[65]);

#endif
