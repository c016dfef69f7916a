/* SPDX-License-Identifier: MIT */
/* Does a thread's own code run, or an interrupt that came on top of it? */
#ifndef PROBES_CONTEXT_BPF_H
#define PROBES_CONTEXT_BPF_H

#include "probes/kvm_types.bpf.h"

/* include/linux/preempt.h: NMI, hard interrupt, softirq that is served. */
#define IN_INTERRUPT 0x00ff0100

/*
 * x86's preempt_count: a variable of its own until 6.1 and again since 6.15, between them a member
 * ("x86/percpu: Move preempt_count next to current_task").
 */
extern const int __preempt_count __ksym __weak;
extern const struct pcpu_hot pcpu_hot __ksym __weak;

/* Of this CPU now. A kernel that has neither does not tell: then it is the thread. */
static __always_inline bool in_thread(void)
{
	if (&__preempt_count)
		return !(*(const int *)bpf_this_cpu_ptr(&__preempt_count) & IN_INTERRUPT);
	if (&pcpu_hot) {
		const struct pcpu_hot *this = bpf_this_cpu_ptr(&pcpu_hot);

		return !(this->preempt_count & IN_INTERRUPT);
	}
	return true;
}

#endif
