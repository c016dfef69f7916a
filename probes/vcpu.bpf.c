// SPDX-License-Identifier: MIT
/*
 * The vCPUs' slots: which vCPU has which, and which thread runs it now.
 *
 * A thread may run several vCPUs by turns and a vCPU may be handed from thread to thread, so the thread is
 * looked at again whenever it can be another one: when a vCPU exits on a CPU that is not known to run it.
 * What each CPU runs is kept up to date by the scheduler's switches, and an exit between two of them costs
 * nothing for it.
 */
#include "probes/common.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

const volatile bool cfg_vcpu_ends = false; /* on_vcpu_end runs */

volatile __u64 cpu_scratch[CPU_SLOTS];
__u32 n_vcpus = 1;   /* slots in use so far, with that of nobody */
__u32 vcpus_seen;
struct free_numbers free_slots;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PROBE_VCPUS * 4);
	__type(key, __u64);
	__type(value, __u32);
} slot_of_vcpu SEC(".maps");

/* The vCPU that each thread ran last. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PROBE_VCPUS * 4);
	__type(key, __u32);
	__type(value, __u32);
} slot_of_tid SEC(".maps");

/* A slot that nobody has had yet, or one that was handed back; PROBE_VCPUS: there is none. */
static __noinline __u32 slot_take(void)
{
	int number;

	/* Asked first: a number that only grows would come round again. */
	if (n_vcpus < PROBE_VCPUS)
		return __sync_fetch_and_add(&n_vcpus, 1);
	number = free_take(&free_slots);
	return number < 0 ? PROBE_VCPUS : number;
}

#define KVM_X86_TDX_VM 5

static __always_inline bool is_tdx(struct kvm_vcpu *vcpu)
{
	struct kvm *kvm = BPF_CORE_READ(vcpu, kvm);
	__u8 type = 0;

	/* Not asked of struct vcpu_tdx: who looks for a type in modules has to be root. */
	if (!bpf_core_field_exists(kvm->arch.vm_type))
		return false;
	bpf_core_read(&type, sizeof(type), &kvm->arch.vm_type);
	return type == KVM_X86_TDX_VM;
}

static int slot_new(__u64 vcpu)
{
	__u32 slot = slot_take();
	struct vcpu_state *s;

	if (slot >= PROBE_VCPUS) {
		__sync_fetch_and_add(&window.lost, 1);
		return -1;
	}
	s = &hot.vcpu[slot];
	s->slot = slot;
	s->hflags = HFLAGS_NONE;
	s->tdx = is_tdx((struct kvm_vcpu *)vcpu);
	s->vcpu_id = BPF_CORE_READ((struct kvm_vcpu *)vcpu, vcpu_id);
	s->vcpu = vcpu;
	barrier(); /* who has a number and no vCPU has ended */
	s->serial = __sync_fetch_and_add(&vcpus_seen, 1) + 1;
	bpf_map_update_elem(&slot_of_vcpu, &vcpu, &slot, BPF_ANY);
	return slot;
}

/* The thread that runs now is the one of this vCPU. */
static __always_inline void thread_bind(struct vcpu_state *s)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 tid = (__u32)id, slot = s->slot, old = s->tid, *known;

	known = bpf_map_lookup_elem(&slot_of_tid, &tid);
	if (old == tid && known && *known == slot)
		return;
	known = old != tid ? bpf_map_lookup_elem(&slot_of_tid, &old) : NULL;
	if (known && *known == slot)
		bpf_map_delete_elem(&slot_of_tid, &old);
	s->off_from_ns = s->off_ns = 0; /* the other thread's */
	s->end_ns = 0;
	s->tid = tid;
	s->tgid = id >> 32;
	bpf_map_update_elem(&slot_of_tid, &tid, &slot, BPF_ANY);
	hot.tid_slot[tid & (TID_SLOTS - 1)] = slot;
}

/* At most one CPU is taken to run a vCPU: another one would not notice that its thread changes. */
static __always_inline void cpu_runs(__u32 cpu, struct vcpu_state *s)
{
	__u32 before = s->cached_cpu & (CPU_SLOTS - 1);

	if (before != cpu && hot.cpu_slot[before] == s->slot)
		hot.cpu_slot[before] = 0;
	s->cached_cpu = cpu;
	hot.cpu_slot[cpu & (CPU_SLOTS - 1)] = s->slot;
}

int vcpu_find(__u64 vcpu, __u32 cpu)
{
	__u32 *known;
	int slot;

	if (!tgid_watched() ||
	    (cfg_vcpu >= 0 && BPF_CORE_READ((struct kvm_vcpu *)vcpu, vcpu_id) != cfg_vcpu))
		return -1;
	known = bpf_map_lookup_elem(&slot_of_vcpu, &vcpu);
	slot = known ? (int)*known : slot_new(vcpu);
	if (slot <= 0)
		return -1;
	slot &= PROBE_VCPUS - 1;
	thread_bind(&hot.vcpu[slot]);
	cpu_runs(cpu & (CPU_SLOTS - 1), &hot.vcpu[slot]);
	return slot;
}

int vcpu_known(__u64 vcpu)
{
	__u32 *known = bpf_map_lookup_elem(&slot_of_vcpu, &vcpu);

	return known ? (int)*known : -1;
}

int vcpu_find_tid(__u32 tid)
{
	__u32 *known = bpf_map_lookup_elem(&slot_of_tid, &tid);

	if (!known)
		return -1;
	hot.tid_slot[tid & (TID_SLOTS - 1)] = *known;
	return *known;
}

static __always_inline void vcpu_leaves(struct vcpu_state *s, __u64 run_delay)
{
	if (s->where == AT_UNKNOWN)
		return;
	if (!s->off_ns)
		s->delay_before = run_delay;
	s->off_from_ns = bpf_ktime_get_ns();
}

static __always_inline void vcpu_returns(struct vcpu_state *s)
{
	if (!s->off_from_ns)
		return;
	s->off_ns += bpf_ktime_get_ns() - s->off_from_ns;
	s->off_from_ns = 0;
	s->where |= WAS_OFF;
}

int vcpu_switch(__u32 cpu, __u32 prev, __u64 run_delay, __u32 next)
{
	/* 0 is nobody's. */
	struct vcpu_state *from = prev ? vcpu_of_tid(prev) : NULL;
	struct vcpu_state *to = next ? vcpu_of_tid(next) : NULL;

	cpu &= CPU_SLOTS - 1;
	if (from)
		vcpu_leaves(from, run_delay);
	if (to)
		vcpu_returns(to);
	if (to)
		cpu_runs(cpu, to);
	else
		hot.cpu_slot[cpu] = 0;
	return 0;
}

/* The vCPU and its thread part; what was counted stays. */
static __always_inline void thread_unbind(struct vcpu_state *s)
{
	__u32 tid = s->tid, *known = bpf_map_lookup_elem(&slot_of_tid, &tid);

	if (!tid) /* its thread has ended before */
		return;
	if (known && *known == s->slot)
		bpf_map_delete_elem(&slot_of_tid, &tid);
	if (s->where & WAS_OFF)
		off_take_apart(s);
	s->ended_tid = tid;
	s->tid = 0;
	/* where stays: a thread may end inside an exit, which then has no entry but happened. */
	s->end_ns = bpf_ktime_get_ns();
}

static __always_inline void vcpu_end(struct vcpu_state *s)
{
	__u64 vcpu = s->vcpu;

	thread_unbind(s);
	s->vcpu = 0;
	bpf_map_delete_elem(&slot_of_vcpu, &vcpu);
}

/* A vCPU that this thread ran last, or -1. */
__noinline int vcpu_with_tid(__u32 tid)
{
	for (int i = 1; i < PROBE_VCPUS; i++)
		if (hot.vcpu[i].tid == tid)
			return i;
	return -1;
}

__noinline int vcpu_loses_thread(__u32 slot)
{
	struct vcpu_state *s = &hot.vcpu[slot & (PROBE_VCPUS - 1)];

	if (cfg_vcpu_ends)
		thread_unbind(s);
	else
		vcpu_end(s);
	return 0;
}

/*
 * Threads end while we look, and the kernel may give their numbers to others. A vCPU may outlive the thread
 * that ran it; where its own end cannot be seen, it is taken to end with it. One that ran many by turns may
 * have more than we go through: their last exits then go on until their VM ends.
 */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_thread_end, struct task_struct *task)
{
	__u32 tid = task->pid;
	__u32 *known = bpf_map_lookup_elem(&slot_of_tid, &tid);

	if (!known)
		return 0;
	for (int i = 0; i < 64; i++) {
		int slot = vcpu_with_tid(tid);

		if (slot < 0)
			break;
		vcpu_loses_thread(slot);
	}
	return 0;
}

/* (vcpu), of a VM whose last file is closed. Its address may be a new one's at once. */
SEC("fentry/kvm_arch_vcpu_destroy")
int on_vcpu_end(__u64 *ctx)
{
	__u64 vcpu = ctx[0];
	__u32 *known = bpf_map_lookup_elem(&slot_of_vcpu, &vcpu);

	if (known)
		vcpu_end(&hot.vcpu[*known & (PROBE_VCPUS - 1)]);
	return 0;
}
