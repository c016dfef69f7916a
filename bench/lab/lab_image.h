/* SPDX-License-Identifier: MIT */
#ifndef BENCH_LAB_LAB_IMAGE_H
#define BENCH_LAB_LAB_IMAGE_H

#include "base/strbuf.h"

struct lab;

/*
 * The lab's initramfs. That of one that talks is in the cache, named by the hash of what is in it. One that
 * does not also holds config and spec->files, which no other lab has, and is memory without a name:
 * lab->image_fd. *path is the caller's to free. 0 or -errno (logged).
 */
int lab_image(struct lab *lab, const char *modules_dir, const struct strbuf *config, char **path);

#endif
