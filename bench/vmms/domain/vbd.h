/* SPDX-License-Identifier: MIT */
/* The back end's end of a domain's disk, a block device of dom0. */
#ifndef BENCH_VMMS_DOMAIN_VBD_H
#define BENCH_VMMS_DOMAIN_VBD_H

#include "base/util.h"

/* Its number as Xen's back end wants it ("fb:0"). 0 or -errno (logged): -ENOTBLK for what is none. */
int vbd_number(const char *path, char *buf, size_t size);

#endif
