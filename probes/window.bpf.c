// SPDX-License-Identifier: MIT
/*
 * The state that all probes share, the gate that the guest's marker writes open and close, and the vCPUs'
 * slots.
 */
#include "probes/common.bpf.h"
#include "workloads/protocol.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

const volatile __u32 cfg_tgid = 0;
const volatile __s32 cfg_vcpu = -1;

struct window_state window;
struct hot_state hot SEC(".data.hot") = {};
volatile __u64 cpu_scratch[CPU_SLOTS];
__u32 n_vcpus = 1;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PROBE_VCPUS * 4);
	__type(key, __u64);
	__type(value, __u32);
} slot_of_vcpu SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PROBE_VCPUS * 4);
	__type(key, __u32);
	__type(value, __u32);
} slot_of_tid SEC(".maps");

static int slot_new(__u64 vcpu, __s32 vcpu_id)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 tid = (__u32)id, slot;
	struct vcpu_state *s;

	slot = __sync_fetch_and_add(&n_vcpus, 1);
	if (slot >= PROBE_VCPUS) {
		__sync_fetch_and_add(&window.lost, 1);
		return -1;
	}
	s = &hot.vcpu[slot];
	s->tid = tid;
	s->slot = slot;
	s->tid = tid;
	s->tgid = id >> 32;
	s->vcpu_id = vcpu_id;
	s->vcpu = vcpu;
	if (vcpu)
		bpf_map_update_elem(&slot_of_vcpu, &vcpu, &slot, BPF_ANY);
	bpf_map_update_elem(&slot_of_tid, &tid, &slot, BPF_ANY);
	return slot;
}

static __always_inline bool tgid_watched(void)
{
	return !cfg_tgid || bpf_get_current_pid_tgid() >> 32 == cfg_tgid;
}

int vcpu_find(__u64 vcpu, __u32 cpu, __s32 vcpu_id)
{
	__u32 *known;
	int slot;

	if (!tgid_watched() || (cfg_vcpu >= 0 && vcpu_id != cfg_vcpu))
		return -1;
	known = bpf_map_lookup_elem(&slot_of_vcpu, &vcpu);
	slot = known ? (int)*known : slot_new(vcpu, vcpu_id);
	if (slot > 0)
		hot.cpu_slot[cpu & (CPU_SLOTS - 1)] = slot;
	return slot;
}

int vcpu_find_tid(__u32 tid)
{
	__u32 *known = bpf_map_lookup_elem(&slot_of_tid, &tid);

	if (!known)
		return -1;
	hot.tid_slot[tid & (TID_SLOTS - 1)] = *known;
	return *known;
}

/* A back end without kvm_exit: the vCPU is found through the file that KVM_RUN is called on. */
int vcpu_find_run(__u64 vcpu, __s32 vcpu_id)
{
	if (!tgid_watched() || (cfg_vcpu >= 0 && vcpu_id != cfg_vcpu))
		return -1;
	return slot_new(vcpu, vcpu_id);
}

/* Threads end while we look (VMs go, vCPUs are unplugged), and the kernel may give both numbers to others. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_thread_end, struct task_struct *task)
{
	__u32 tid = task->pid;
	__u32 *known = bpf_map_lookup_elem(&slot_of_tid, &tid);
	struct vcpu_state *s;
	__u64 vcpu;

	if (!known)
		return 0;
	s = &hot.vcpu[*known & (PROBE_VCPUS - 1)];
	vcpu = s->vcpu;
	s->vcpu = 0;
	s->ended_tid = tid;
	s->tid = 0; /* where stays: a thread may end inside an exit, which then has no end but happened */
	bpf_map_delete_elem(&slot_of_vcpu, &vcpu);
	bpf_map_delete_elem(&slot_of_tid, &tid);
	return 0;
}

static __always_inline void window_open(struct vcpu_state *s, __u64 now)
{
	if (hot.gate)
		return;
	/* The marker's own exit began before the window, its end is inside: it does not count. */
	s->where = AT_UNKNOWN;
	s->take_user = 2;
	if (!window.opened)
		window.open_ns = now;
	window.last_open_ns = now;
	window.opened++;
	hot.gate = 1;
}

static __always_inline void window_close(struct vcpu_state *s, __u64 now)
{
	if (!hot.gate)
		return;
	hot.gate = 0;
	window.close_ns = now;
	window.total_ns += now - window.last_open_ns;
	window.closed++;
	/* The closing exit began inside and counts, its way to userspace too. */
	s->take_user = 1;
}

int window_marker(__u32 value, __u32 slot, __u64 now)
{
	struct vcpu_state *s = &hot.vcpu[slot & (PROBE_VCPUS - 1)];

	if (value == MARKER_VALUE(MARKER_OPEN))
		window_open(s, now);
	else if (value == MARKER_VALUE(MARKER_CLOSE))
		window_close(s, now);
	return 0;
}

/*
 * Back ends whose kvm_exit does not tell the port and the value (SVM's does: exit.bpf.c, one program less
 * per port access). kvm_pio(rw, port, size, count, data); rw 1 is a write. A raw tracepoint: kernels before
 * 6.2 let no BTF-typed program touch a `const void *` argument.
 */
SEC("raw_tp/kvm_pio")
int on_marker(struct bpf_raw_tracepoint_args *ctx)
{
	struct vcpu_state *s;
	__u8 value = 0;

	if ((__u32)ctx->args[1] != MARKER_PORT || (__u32)ctx->args[0] != 1 || !tgid_watched())
		return 0;
	bpf_probe_read_kernel(&value, sizeof(value), (void *)ctx->args[4]);
	/* The thread need not be a vCPU known to us: slot 0 belongs to nobody. */
	s = vcpu_current();
	window_marker(value, s ? s->slot : 0, bpf_ktime_get_ns());
	return 0;
}
