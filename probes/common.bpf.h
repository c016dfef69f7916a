/* SPDX-License-Identifier: MIT */
/*
 * What every BPF file of the probes needs: the filters, the gate and the way from a vCPU or a task to its
 * state.
 */
#ifndef PROBES_COMMON_BPF_H
#define PROBES_COMMON_BPF_H

#include "probes/kvm_types.bpf.h"
#include "probes/state.h"

/* Set between open and load; the verifier then removes what they rule out. */
extern const volatile __u32 cfg_tgid;   /* 0: every process */
extern const volatile __s32 cfg_vcpu;   /* -1: all */

extern struct hot_state hot SEC(".data.hot");
extern struct window_state window;
/* A global function takes numbers only, and a pointer becomes one on its way through memory. */
extern volatile __u64 cpu_scratch[CPU_SLOTS];

/*
 * Slot of the vCPU at this address, which the thread that runs now runs on this CPU; made new when it is of
 * the watched process; -1: not watched.
 */
int vcpu_find(__u64 vcpu, __u32 cpu);
/* Slot of the vCPU at this address, whichever thread runs now, or -1: not met yet. */
int vcpu_known(__u64 vcpu);
/* Slot of a thread, or -1. */
int vcpu_find_tid(__u32 tid);
/* This CPU leaves thread prev, whose run_delay this is, for thread next. */
int vcpu_switch(__u32 cpu, __u32 prev, __u64 run_delay, __u32 next);
/* This vCPU writes value to the marker port now. */
int window_marker(__u32 value, __u32 slot, __u64 now);

/* This vCPU's exit is over; the one before it was not traced. */
int pair_count(__u32 slot);
int pair_break(__u32 slot);

/* What only --key=rip, --trace and --pairs ask for is in programs of its own. */
enum detail { PLAIN, FULL };

/* A number that was handed back, or -1. A few tries, for another CPU may be quicker. */
static __noinline __attribute__((unused)) int free_take(struct free_numbers *f)
{
	if (!f)
		return -1;
	for (int i = 0; i < 8; i++) {
		__u32 at = f->taken;

		if (at == *(volatile __u32 *)&f->put)
			return -1;
		if (__sync_val_compare_and_swap(&f->taken, at, at + 1) == at)
			return f->number[at & (FREE_NUMBERS - 1)];
	}
	return -1;
}

static __always_inline struct vcpu_state *vcpu_slot(int slot)
{
	return slot < 0 ? NULL : &hot.vcpu[slot & (PROBE_VCPUS - 1)];
}

static __always_inline bool tgid_watched(void)
{
	return !cfg_tgid || bpf_get_current_pid_tgid() >> 32 == cfg_tgid;
}

/* The vCPU's state. What this CPU runs is nearly always known: two loads instead of a hash look-up. */
static __always_inline struct vcpu_state *vcpu_get(struct kvm_vcpu *vcpu)
{
	__u32 cpu = vcpu->cpu & (CPU_SLOTS - 1);
	struct vcpu_state *s = &hot.vcpu[hot.cpu_slot[cpu] & (PROBE_VCPUS - 1)];

	if (s->vcpu == (__u64)vcpu)
		return s;
	cpu_scratch[cpu] = (__u64)vcpu;
	return vcpu_slot(vcpu_find(cpu_scratch[cpu], cpu));
}

/* That of a thread. Where no thread with these low bits has ever run a vCPU, there is nothing to look up. */
static __always_inline struct vcpu_state *vcpu_of_tid(__u32 tid)
{
	__u32 slot = hot.tid_slot[tid & (TID_SLOTS - 1)];
	struct vcpu_state *s = &hot.vcpu[slot & (PROBE_VCPUS - 1)];

	if (!slot || s->tid == tid)
		return slot ? s : NULL;
	return vcpu_slot(vcpu_find_tid(tid));
}

/* The same for tracepoints that carry no vCPU and fire in its thread. */
static __always_inline struct vcpu_state *vcpu_current(void)
{
	return vcpu_of_tid((__u32)bpf_get_current_pid_tgid());
}

/*
 * The thread that runs now was off the CPU: what it waited for one the scheduler has counted (run_delay),
 * the rest it slept. How long that was.
 */
static __noinline __attribute__((unused)) __u64 off_take_apart(struct vcpu_state *s)
{
	__u64 off, waited = 0;

	if (!s)
		return 0;
	off = s->off_ns;
	if ((__u32)bpf_get_current_pid_tgid() == s->tid)
		waited = bpf_get_current_task_btf()->sched_info.run_delay - s->delay_before;
	if (waited > off)
		waited = off;
	s->wait_ns += waited;
	s->asleep_ns += off - waited;
	if (s->user_ns)
		s->user_off_ns += off;
	s->off_ns = 0;
	return off;
}

#endif
