/* SPDX-License-Identifier: MIT */
/* What the block modes share: the medium, and the switches of every disk. */
#ifndef BENCH_MODES_BLOCK_H
#define BENCH_MODES_BLOCK_H

#include "base/strlist.h"
#include "bench/modes/path.h"

#define BLOCK_KNOBS "poll_us engine cache"

/*
 * The words of qemu-storage-daemon, which has the medium as its node m0 and a thread io0: the export comes on
 * top.
 */
void block_storage_daemon(const struct device_path *p, const struct path_want *want, struct strlist *argv);

extern const char *const virtio_blk_modules[];

/* mode->make: the medium of --medium. */
int block_make(struct device_path *p, const struct path_want *want);

#endif
