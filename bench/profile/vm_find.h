/* SPDX-License-Identifier: MIT */
/* The KVM virtual machines of this host: processes that hold a VM's file descriptor. */
#ifndef BENCH_PROFILE_VM_FIND_H
#define BENCH_PROFILE_VM_FIND_H

#include <sys/types.h>
#include "bench/profile/vm_name.h"

struct vm {
	pid_t pid;
	struct vm_name name;
	unsigned vms, vcpus;
};

/* pid's entry. False when the process is not there or holds no VM. */
bool vm_of_pid(pid_t pid, struct vm *out);
/* The name alone, also of one whose open files are not to be seen; "" of one that has ended. */
void vm_name_of_pid(pid_t pid, struct vm_name *name);
/*
 * The one VM that `name` means (vm_name_is); NULL: the only one there is. proc: "/proc". 0, or -ENOENT or
 * -EINVAL with one logged line that lists what there is.
 */
int vm_choose(const char *proc, const char *name, struct vm *out);

#endif
