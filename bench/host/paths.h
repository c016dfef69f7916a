/* SPDX-License-Identifier: MIT */
/*
 * Where things are: in a checkout (build/bench beside its tools) or installed (PREFIX/bin and
 * PREFIX/libexec/exitlab).
 */
#ifndef BENCH_HOST_PATHS_H
#define BENCH_HOST_PATHS_H

/*
 * A program or image of ours ("vmm", "agent", "lab-init", "micro.elf"); NULL when it is not there (logged).
 */
const char *path_tool(const char *name);
/* The same, but nothing is logged when it is not there. */
const char *path_find(const char *name);
/* What installs packages and unpacks kernels, as the user would call it. */
const char *path_setup(void);
/* Root of the checkout that this bench was built in, or NULL when installed. */
const char *path_checkout(void);
/* $EXITLAB_CACHE, else $XDG_CACHE_HOME/exitlab, else ~/.cache/exitlab. */
const char *path_cache(void);
/* An unpacked kernel: which is "default", "newer" or a release. file: "vmlinux", "vmlinuz", "modules" or "".
 * Links are resolved. Caller frees; NULL when it is not there (logged, with what to do). */
char *path_kernel(const char *which, const char *file);
/* A program as a shell would find it: a path, or a name in PATH. Caller frees; NULL when there is none. */
char *path_program(const char *name);
/* Our own executable. */
const char *path_self(void);

#endif
