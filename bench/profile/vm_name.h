/* SPDX-License-Identifier: MIT */
/*
 * How the people who started a virtual machine call it: libvirt's domains, Firecracker's ids, instances of
 * lima and colima, machines of systemd-machined, KubeVirt's in their pods. It stands in what the VMM was told
 * and in the control groups that it was put into. Both are a stranger's words: what is kept of them is short,
 * and one line of printable characters.
 */
#ifndef BENCH_PROFILE_VM_NAME_H
#define BENCH_PROFILE_VM_NAME_H

#include "base/util.h"

#define VM_NAME 128 /* a namespace of Kubernetes and a name in it have 63 characters each */
#define VM_ALSO 6

struct vm_name {
	char text[VM_NAME];          /* what the VMM calls it, else its manager, else the program's name */
	char also[VM_ALSO][VM_NAME]; /* what fits as well: "web" for "lima-web", the program's name */
	size_t n_also;
	const char *manager; /* libvirt, firecracker, lima, colima, machined, kubevirt, or "" */
	char pod[40];        /* its pod's UID, "" outside Kubernetes */
	char container[16];  /* the first 12 digits of its container's id, or "" */
};

/*
 * program: its short name. args: what it was started with, each with a NUL behind it, and one more NUL.
 * cgroups: as in /proc/PID/cgroup.
 */
void vm_name_find(struct vm_name *n, const char *program, const char *args, size_t len, const char *cgroups);
/* One of its names, its pod or its container. */
bool vm_name_is(const struct vm_name *n, const char *wanted);

#endif
