/* SPDX-License-Identifier: MIT */
/* Which threads serve the watched VM beside its vCPUs. */
#ifndef PROBES_SERVES_BPF_H
#define PROBES_SERVES_BPF_H

#include "probes/common.bpf.h"

#define PF_KTHREAD 0x00200000

extern const volatile char cfg_vhost[16];            /* name of the VMM's vhost kernel threads */
extern const volatile __u32 cfg_backend, cfg_peer;   /* processes beside the VMM's; 0: none */

static __noinline bool is_vhost(struct task_struct *task)
{
	char name[16];

	bpf_probe_read_kernel(name, sizeof(name), task->comm);
	for (int i = 0; i < 16; i++) {
		if (name[i] != cfg_vhost[i])
			return false;
		if (!name[i])
			break;
	}
	return true;
}

/* "vhost-" and the VMM's number; without a filter every process that runs a vCPU and every vhost thread. */
static __always_inline bool serves(struct task_struct *task)
{
	if (task->flags & PF_KTHREAD)
		return task->comm[0] == 'v' && task->comm[1] == 'h' && (!cfg_tgid || is_vhost(task));
	if (!cfg_tgid)
		return vcpu_find_tid(task->pid) >= 0;
	return task->tgid == cfg_tgid || (cfg_backend && task->tgid == cfg_backend) ||
	       (cfg_peer && task->tgid == cfg_peer);
}

#endif
