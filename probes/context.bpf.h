/* SPDX-License-Identifier: MIT */
/* Does a thread's own code run, or an interrupt that came on top of it? */
#ifndef PROBES_CONTEXT_BPF_H
#define PROBES_CONTEXT_BPF_H

#include "probes/kvm_types.bpf.h"
#include "probes/state.h"

/* include/linux/preempt.h: NMI, hard interrupt, softirq that is served. */
#define IN_INTERRUPT 0x00ff0100

/*
 * x86's preempt_count: a variable of its own until 6.1 and again since 6.15, between them a member
 * ("x86/percpu: Move preempt_count next to current_task"). It is found by how far it lies from a variable
 * that all of them have: for a name that a kernel lacks libbpf looks through all modules, which wants
 * CAP_SYS_ADMIN.
 */
extern const unsigned long this_cpu_off __ksym __weak;
extern const volatile bool cfg_knows_context;
extern const volatile bool cfg_typed_count;   /* PREEMPT_COUNT_PLACE is filled in */
extern const volatile __s64 cfg_preempt_count; /* from this_cpu_off, in bytes */

/* Of this CPU now. A kernel that has neither does not tell: then it is the thread. */
static __always_inline bool in_thread(void)
{
	__u32 count = 0;
	void *at;

	/* A load, where the variable is one of its own: the copy is a hundred instructions. */
	if (cfg_typed_count) {
		asm volatile("%0 = %1 ll" : "=r"(at) : "i"(PREEMPT_COUNT_PLACE));
		return !(*(const __u32 *)bpf_this_cpu_ptr(at) & IN_INTERRUPT);
	}
	if (!cfg_knows_context || !&this_cpu_off)
		return true;
	bpf_probe_read_kernel(&count, sizeof(count),
			      (const char *)bpf_this_cpu_ptr(&this_cpu_off) + cfg_preempt_count);
	return !(count & IN_INTERRUPT);
}

#endif
