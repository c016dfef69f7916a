// SPDX-License-Identifier: MIT
/*
 * CPU time of every thread that serves the VM: those of the VMM's process, of its vhost-user back end, of
 * the peer, and its vhost kernel threads (a VMM thread since 6.4). What ran when the window opened or
 * closed is charged to the nanosecond: on_ns is kept all the time and clamped to the window when a stay on
 * the CPU ends.
 */
#include "probes/common.bpf.h"
#include "probes/notify.bpf.h"
#include "probes/serves.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

const volatile __u32 cfg_backend = 0, cfg_peer = 0;
const volatile bool cfg_threads = false;            /* CPU time of threads is asked for */

/* The thread that serves and is on this CPU, or 0; and since when a softirq runs on top of it. */
__u32 serving[CPU_SLOTS];
__u64 softirq_from[CPU_SLOTS];

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PROBE_THREADS);
	__type(key, __u32);
	__type(value, struct thread_state);
} threads SEC(".maps");

__u32 n_threads; /* ever put into it */

static __always_inline struct thread_state *thread_get(struct task_struct *task)
{
	struct thread_state fresh = {}, *t;
	__u32 tid = task->pid;

	t = bpf_map_lookup_elem(&threads, &tid);
	if (t)
		return t;
	fresh.tgid = task->tgid;
	fresh.kernel = !!(task->flags & PF_KTHREAD);
	fresh.last_delay = task->sched_info.run_delay;
	/* Without a filter a thread counts from where it turned out to be a vCPU. */
	if (!cfg_tgid)
		fresh.last_sum = task->se.sum_exec_runtime;
	bpf_probe_read_kernel(fresh.comm, sizeof(fresh.comm), task->comm);
	if (!bpf_map_update_elem(&threads, &tid, &fresh, BPF_NOEXIST))
		__sync_fetch_and_add(&n_threads, 1);
	return bpf_map_lookup_elem(&threads, &tid);
}

/*
 * The scheduler's own sum is exact but knows no window; the time since the switch-in knows the window. The
 * smaller is right: a thread that was on the CPU when we came has no switch-in, one that began later has no
 * earlier sum.
 */
static __always_inline void charge(struct thread_state *t, struct task_struct *task, __u64 now)
{
	__u64 from = t->on_ns, to = hot.gate ? now : window.close_ns, sum = task->se.sum_exec_runtime;
	__u64 ran = sum - t->last_sum;

	t->last_sum = sum;
	if (from < window.last_open_ns)
		from = window.last_open_ns;
	if (!window.last_open_ns || to <= from)
		return;
	t->cpu_ns += ran < to - from ? ran : to - from;
}

static __always_inline void threads_switch(__u32 cpu, struct task_struct *prev,
					   struct task_struct *next)
{
	__u64 now = bpf_ktime_get_ns(), delay;
	struct thread_state *t;
	__u32 tid = 0;

	if (serves(prev) && (t = thread_get(prev))) {
		delay = prev->sched_info.run_delay;
		charge(t, prev, now);
		if (hot.gate)
			t->runq_ns += delay - t->last_delay;
		t->last_delay = delay;
		t->on_ns = 0;
		t->switches++;
	}
	if (serves(next) && (t = thread_get(next))) {
		t->on_ns = now;
		t->last_sum = next->se.sum_exec_runtime;
		tid = next->pid;
	}
	serving[cpu] = tid;
}

/* One program for all that asks for switches: the way to a second one costs more than what it does. */
SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u32 cpu = bpf_get_smp_processor_id() & (CPU_SLOTS - 1);

	if (!prev || !next) /* for 6.12's verifier: see exit.bpf.c */
		return 0;
	vcpu_switch(cpu, prev->pid, prev->sched_info.run_delay, next->pid);
	if (cfg_threads)
		threads_switch(cpu, prev, next);
	if (kicks_open)
		kick_served(next->pid);
	return 0;
}

/*
 * Softirqs that run on top of a thread that serves: most often what it sent or woke itself (a packet that
 * goes up from the TAP). The scheduler charges them to the thread, so this is a part of cpu_ns. Those on
 * top of others, or in ksoftirqd, cannot be told from other machines' packets.
 */
SEC("tp_btf/softirq_entry")
int BPF_PROG(on_softirq)
{
	__u32 cpu = bpf_get_smp_processor_id() & (CPU_SLOTS - 1);

	if (serving[cpu] && hot.gate)
		softirq_from[cpu] = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/softirq_exit")
int BPF_PROG(on_softirq_end)
{
	__u32 cpu = bpf_get_smp_processor_id() & (CPU_SLOTS - 1), tid = serving[cpu];
	__u64 from = softirq_from[cpu];
	struct thread_state *t;

	if (!from)
		return 0;
	softirq_from[cpu] = 0;
	t = hot.gate ? bpf_map_lookup_elem(&threads, &tid) : NULL;
	if (t)
		t->softirq_ns += bpf_ktime_get_ns() - from;
	return 0;
}

/* A thread is first seen before it has its name. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_thread_name, struct task_struct *task)
{
	__u32 tid = task ? task->pid : 0;
	struct thread_state *t = bpf_map_lookup_elem(&threads, &tid);

	if (t && task)
		bpf_probe_read_kernel(t->comm, sizeof(t->comm), task->comm);
	return 0;
}
