/* SPDX-License-Identifier: MIT */
#ifndef WORKLOADS_ELFDEPS_H
#define WORKLOADS_ELFDEPS_H

#include "workloads/modules.h"

/*
 * Append the files that a dynamic x86-64 program needs at run time: its interpreter and,
 * transitively, its shared libraries, as host paths under the directories that the guest's loader
 * searches as well. Reads the ELF headers; the program is not run. 0, -ENOEXEC (damaged or foreign)
 * or -ENOENT (a library is missing), logged. tree: where the program and its libraries lie as the guest has
 * them under /, looked through before this machine's; or NULL.
 */
int elf_deps(const char *program, const char *tree, struct strlist *out);

#endif
