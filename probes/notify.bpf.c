// SPDX-License-Identifier: MIT
/*
 * Notifications, guest to host and back.
 *
 *   kick     a vCPU writes a doorbell that KVM turns into an eventfd: eventfd_signal runs inside the exit,
 *            and the first thread that it wakes is the one that serves. Kick to service ends when that
 *            thread gets a CPU.
 *   raise    kvm_apic_accept_irq sets a vector in a local APIC; kvm_inj_virq hands it to the guest.
 *
 * The interrupt tracepoints name no VM. What runs tells: a thread of the VMM or its vhost worker; an
 * interrupt that arrives while a stranger runs is counted as unattributed.
 */
#include "probes/common.bpf.h"
#include "probes/context.bpf.h"
#include "probes/exit_codes.bpf.h"
#include "probes/notify.bpf.h"
#include "probes/serves.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

const volatile bool cfg_knows_context = false;
const volatile bool cfg_typed_count = false;
const volatile __s64 cfg_preempt_count = 0;
const volatile char cfg_vhost[16] = ""; /* name of the VMM's vhost kernel threads */

struct notify_state notify;
/*
 * When each vector of a vCPU was raised, 0 when it is not pending. By the vCPU's number where one process is
 * watched; where all are, by its slot, and a hook of its own tells whose interrupt it is.
 */
__u64 raised[PROBE_VCPUS][256];
/* The vCPU + 1 whose APIC gets an interrupt on this CPU now. */
__u32 raising[CPU_SLOTS];
/* A vCPU signals an eventfd on this CPU now. */
__u32 kicking[CPU_SLOTS];
__u32 kicks_open;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} kick_of_tid SEC(".maps");

#define ADD(field, n) __sync_fetch_and_add(&notify.field, n)

static __always_inline void plain_hist_count(struct plain_hist *h, __u64 v)
{
	unsigned int log2 = 0, slot;

	for (int bits = 32; bits; bits >>= 1)
		if (v >> log2 >> bits)
			log2 += bits;
	slot = HIST_SLOT_OF(v, log2);
	if (slot > HIST_SLOTS - 1)
		slot = HIST_SLOTS - 1;
	__sync_fetch_and_add(&h->count, 1);
	__sync_fetch_and_add(&h->sum, v);
	if (v < h->min || !h->min)
		h->min = v;
	if (v > h->max)
		h->max = v;
	__sync_fetch_and_add(&h->slots[slot], 1);
}

enum whose { OURS, KERNEL, STRANGER };

static __always_inline enum whose whose_context(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (!cfg_tgid || task->tgid == cfg_tgid)
		return OURS;
	if (!(task->flags & PF_KTHREAD))
		return STRANGER;
	return is_vhost(task) ? OURS : KERNEL;
}

/* ---- kicks ---- */

/*
 * A doorbell is a port or memory. In other exits an eventfd that is signalled is an interrupt's: of an
 * assigned device, whose vectors reach this CPU while the vCPU is in the kernel. They reach it amid a
 * doorbell's exit as well, and are told from the kick by where they run: in an interrupt, not in the thread.
 * And what the thread signals once it is back in userspace is no doorbell that KVM has answered.
 */
static __always_inline bool may_ring(__u32 reason)
{
	/* Page faults under shadow paging: SVM_PF, VMX_EXCEPTION. */
	return reason == SVM_IOIO || reason == SVM_NPF || reason == SVM_PF || reason == VMX_IO ||
	       reason == VMX_EPT_VIOLATION || reason == VMX_EPT_MISCONFIG || reason == VMX_EXCEPTION;
}

static __always_inline int kick_begins(void)
{
	struct vcpu_state *s;
	__u32 cpu;

	if (!hot.gate)
		return 0;
	s = vcpu_current();
	if (!s || !(s->where & IN_EXIT) || s->user_ns || !may_ring(s->reason & ~REASON_NESTED))
		return 0;
	if (!in_thread())
		return 0;
	ADD(kicks_ioeventfd, 1);
	s->kick_ns = bpf_ktime_get_ns();
	cpu = bpf_get_smp_processor_id() & (CPU_SLOTS - 1);
	kicking[cpu] = s->slot;
	return 0;
}

static __always_inline int kick_ends(void)
{
	__u32 cpu = bpf_get_smp_processor_id() & (CPU_SLOTS - 1);

	if (kicking[cpu] && in_thread())
		kicking[cpu] = 0;
	return 0;
}

/* Since 6.8 an inline call of eventfd_signal_mask. */
SEC("fentry/eventfd_signal")
int BPF_PROG(on_kick)
{
	return kick_begins();
}

SEC("fexit/eventfd_signal")
int BPF_PROG(on_kick_end)
{
	return kick_ends();
}

SEC("fentry/eventfd_signal_mask")
int BPF_PROG(on_kick_mask)
{
	return kick_begins();
}

SEC("fexit/eventfd_signal_mask")
int BPF_PROG(on_kick_mask_end)
{
	return kick_ends();
}

SEC("tp_btf/sched_waking")
int BPF_PROG(on_waking, struct task_struct *task)
{
	__u32 cpu = bpf_get_smp_processor_id() & (CPU_SLOTS - 1), slot = kicking[cpu], tid;
	__u64 when;

	if (!slot || !in_thread())
		return 0;
	kicking[cpu] = 0;
	tid = task->pid;
	when = hot.vcpu[slot & (PROBE_VCPUS - 1)].kick_ns;
	ADD(kick_wakeups, 1);
	if (!bpf_map_update_elem(&kick_of_tid, &tid, &when, BPF_NOEXIST))
		__sync_fetch_and_add(&kicks_open, 1);
	return 0;
}

int kick_served(__u32 tid)
{
	__u64 *when = bpf_map_lookup_elem(&kick_of_tid, &tid);

	if (!when)
		return 0;
	plain_hist_count(&notify.kick_to_service, bpf_ktime_get_ns() - *when);
	bpf_map_delete_elem(&kick_of_tid, &tid);
	__sync_fetch_and_add(&kicks_open, -1);
	return 0;
}

/* ---- interrupts ---- */

static __always_inline bool raised_for_us(void)
{
	if (!hot.gate)
		return false;
	if (whose_context() != STRANGER)
		return true;
	ADD(unattributed, 1);
	return false;
}

SEC("tp_btf/kvm_msi_set_irq")
int BPF_PROG(on_msi)
{
	if (raised_for_us())
		ADD(msi, 1);
	return 0;
}

SEC("tp_btf/kvm_set_irq")
int BPF_PROG(on_set_irq)
{
	if (raised_for_us())
		ADD(set_irq, 1);
	return 0;
}

/* Which row of `raised` is this vCPU's? */
static __always_inline __u32 raised_row(struct vcpu_state *s)
{
	return (cfg_tgid ? (__u32)s->vcpu_id : s->slot) & (PROBE_VCPUS - 1);
}

/* A stamp from before the window is of an interrupt that was injected, or dropped, unseen. */
static __always_inline bool stamp_holds(__u64 when)
{
	return when && when >= window.last_open_ns;
}

/* (apic, ...): all that set an interrupt in an APIC come by here, and the tracepoint is in it. */
SEC("fentry/__apic_accept_irq")
int on_raise(__u64 *ctx)
{
	__u32 cpu = bpf_get_smp_processor_id() & (CPU_SLOTS - 1);

	cpu_scratch[cpu] = (__u64)BPF_CORE_READ((struct kvm_lapic *)ctx[0], vcpu);
	raising[cpu] = vcpu_known(cpu_scratch[cpu]) + 1;
	return 0;
}

#define APIC_DM_LOWEST 0x100 /* this and 0, fixed, are injected as vectors; others are not */
#define APIC_DM_INIT   0x500

/* The row of the vCPU whose APIC is given this interrupt, or NULL: it cannot be told. */
static __always_inline __u64 *raised_of(__u32 apicid)
{
	__u32 cpu = bpf_get_smp_processor_id() & (CPU_SLOTS - 1), row = apicid;

	if (!cfg_tgid) {
		row = raising[cpu] - 1;
		raising[cpu] = 0;
	}
	if (row >= PROBE_VCPUS)
		return NULL;
	return raised[row];
}

SEC("tp_btf/kvm_apic_accept_irq")
int BPF_PROG(on_accept, __u32 apicid, __u16 dm, __u16 tm, __u8 vector)
{
	__u64 *when;

	if (!hot.gate || whose_context() == STRANGER)
		return 0;
	ADD(accepted, 1);
	when = raised_of(apicid);
	if (!when)
		return 0;
	/* What a vCPU had pending is forgotten with all the rest of it. */
	if (dm == APIC_DM_INIT)
		for (int i = 0; i < 256; i++)
			((volatile __u64 *)when)[i] = 0; /* not a call of memset */
	if (dm <= APIC_DM_LOWEST && !stamp_holds(when[vector & 255]))
		when[vector & 255] = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/kvm_inj_virq")
int BPF_PROG(on_inject, unsigned int vector)
{
	struct vcpu_state *s;
	__u64 *when;

	if (!hot.gate)
		return 0;
	s = vcpu_current();
	if (!s)
		return 0;
	ADD(injected, 1);
	when = &raised[raised_row(s)][vector & 255];
	if (stamp_holds(*when))
		plain_hist_count(&notify.raise_to_injection, bpf_ktime_get_ns() - *when);
	*when = 0;
	return 0;
}

SEC("tp_btf/kvm_eoi")
int BPF_PROG(on_eoi)
{
	if (hot.gate && vcpu_current())
		ADD(eoi, 1);
	return 0;
}

SEC("tp_btf/kvm_pv_eoi")
int BPF_PROG(on_pv_eoi)
{
	if (hot.gate && vcpu_current())
		ADD(pv_eoi, 1);
	return 0;
}

SEC("tp_btf/kvm_apic_ipi")
int BPF_PROG(on_ipi)
{
	if (hot.gate && vcpu_current())
		ADD(ipi, 1);
	return 0;
}

/* ---- halts ---- */

/* (ns, waited, valid): waited is false when polling found the event before the vCPU went to sleep. */
SEC("tp_btf/kvm_vcpu_wakeup")
int BPF_PROG(on_wakeup, __u64 ns, bool waited)
{
	if (!hot.gate || !vcpu_current())
		return 0;
	if (waited) {
		ADD(wakeups, 1);
		ADD(block_ns, ns);
	} else {
		ADD(halt_polls_ok, 1);
		ADD(halt_poll_ok_ns, ns);
	}
	return 0;
}

SEC("tp_btf/kvm_wait_lapic_expire")
int BPF_PROG(on_timer_wait)
{
	if (hot.gate && vcpu_current())
		ADD(timer_waits, 1);
	return 0;
}
