/* SPDX-License-Identifier: MIT */
/* Of proc.c and its files: what a child does to itself before it becomes its program. */
#ifndef BASE_PROC_PRIV_H
#define BASE_PROC_PRIV_H

#include "base/proc.h"

/* As struct proc_opts.writable says. 0 or -errno. */
int proc_keep_to_files(const char *const *writable);

#endif
