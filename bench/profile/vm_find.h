/* SPDX-License-Identifier: MIT */
/* The KVM virtual machines of this host: processes that hold a VM's file descriptor. */
#ifndef BENCH_PROFILE_VM_FIND_H
#define BENCH_PROFILE_VM_FIND_H

#include <sys/types.h>
#include "base/util.h"

struct vm {
	pid_t pid;
	char name[64]; /* -name of QEMU, else the program's name */
	unsigned vms, vcpus;
};

/* pid's entry. False when the process is not there or holds no VM. */
bool vm_of_pid(pid_t pid, struct vm *out);
/*
 * The one VM that `name` means: a pid, a VM's name, or a program's name; NULL: the only one there is. 0, or
 * -ENOENT or
 * -EINVAL with one logged line that lists what there is.
 */
int vm_choose(const char *name, struct vm *out);

#endif
