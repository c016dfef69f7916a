// SPDX-License-Identifier: MIT
/*
 * The steps between the exits, for `bench life` and --trace: who is woken by whom, which system call, frame,
 * softirq or interrupt it is, and when an interrupt is raised, injected and ended. Nothing of this is loaded
 * for anything else: a switch of threads costs 0.2 us more with it.
 */
#include "probes/context.bpf.h"
#include "probes/serves.bpf.h"
#include "probes/steps.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

const volatile __u32 cfg_netns = 0; /* the peer's network namespace, by its number */

extern struct trace_ring_map trace_ring SEC(".maps");

#define SYS_IOCTL   16
#define SOFTIRQ_NET_TX 2
#define SOFTIRQ_NET_RX 3

static __always_inline int step_put(enum step_kind kind, __u64 arg)
{
	struct step_event *e = bpf_ringbuf_reserve(&trace_ring, sizeof(*e), 0);

	if (!e) {
		__sync_fetch_and_add(&trace_dropped, 1);
		return 0;
	}
	e->ns = bpf_ktime_get_ns();
	e->arg = arg;
	e->tid = (__u32)bpf_get_current_pid_tgid();
	e->cpu = bpf_get_smp_processor_id();
	e->kind = kind;
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	return 0;
}

static __always_inline bool current_serves(void)
{
	return serves(bpf_get_current_task_btf());
}

/* An interrupt comes on top of any thread; of those that are no kernel threads it is a stranger's. */
static __always_inline bool current_may_serve(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return task->flags & PF_KTHREAD || serves(task);
}

/* ---- threads ---- */

SEC("tp_btf/sched_switch")
int BPF_PROG(step_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	if (!hot.gate || !prev || !next || !(serves(prev) || serves(next)))
		return 0;
	return step_put(STEP_SWITCH, next->pid);
}

SEC("tp_btf/sched_waking")
int BPF_PROG(step_wake, struct task_struct *task)
{
	if (!hot.gate || !task || !serves(task))
		return 0;
	return step_put(STEP_WAKE, task->pid);
}

SEC("tp_btf/sys_enter")
int BPF_PROG(step_syscall, struct pt_regs___sys *regs, long id)
{
	if (!hot.gate || id == SYS_IOCTL || !current_serves())
		return 0;
	return step_put(STEP_SYSCALL, id);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(step_sysret, struct pt_regs___sys *regs, long ret)
{
	if (!hot.gate || !regs || regs->orig_ax == SYS_IOCTL || !current_serves())
		return 0;
	return step_put(STEP_SYSRET, regs->orig_ax);
}

/* ---- frames ---- */

/* A device of the peer's; where no peer is known, one that a thread of the VM uses. */
static __always_inline bool is_peers(struct net_device *dev)
{
	if (!cfg_netns)
		return current_serves();
	return dev && dev->nd_net.net->ns.inum == cfg_netns;
}

SEC("tp_btf/net_dev_start_xmit")
int BPF_PROG(step_xmit, struct sk_buff *skb, struct net_device *dev)
{
	if (!hot.gate || !skb || !is_peers(dev))
		return 0;
	return step_put(STEP_XMIT, skb->len);
}

SEC("tp_btf/netif_receive_skb")
int BPF_PROG(step_recv, struct sk_buff *skb)
{
	if (!hot.gate || !skb || !is_peers(skb->dev))
		return 0;
	return step_put(STEP_RECV, skb->len);
}

SEC("tp_btf/skb_copy_datagram_iovec")
int BPF_PROG(step_copy, struct sk_buff *skb, int len)
{
	if (!hot.gate || !current_serves())
		return 0;
	return step_put(STEP_COPY, len);
}

/* ---- soft and hard interrupts of the host ---- */

static __always_inline bool softirq_counts(__u32 vec)
{
	return hot.gate && (vec == SOFTIRQ_NET_RX || vec == SOFTIRQ_NET_TX || current_serves());
}

SEC("tp_btf/softirq_entry")
int BPF_PROG(step_softirq, __u32 vec)
{
	return softirq_counts(vec) ? step_put(STEP_SOFTIRQ, vec) : 0;
}

SEC("tp_btf/softirq_exit")
int BPF_PROG(step_softirq_end, __u32 vec)
{
	return softirq_counts(vec) ? step_put(STEP_SOFTIRQ_END, vec) : 0;
}

SEC("tp_btf/irq_handler_entry")
int BPF_PROG(step_irq, int irq, struct irqaction *action)
{
	__u64 name = 0;

	if (!hot.gate || !action)
		return 0;
	bpf_probe_read_kernel_str(&name, sizeof(name), action->name);
	return step_put(STEP_IRQ, name);
}

SEC("tp_btf/irq_handler_exit")
int BPF_PROG(step_irq_end, int irq)
{
	return hot.gate ? step_put(STEP_IRQ_END, irq) : 0;
}

/* ---- the guest's interrupts ---- */

static __always_inline int signalled(void)
{
	if (!hot.gate || !current_may_serve())
		return 0;
	return step_put(STEP_SIGNAL, !in_thread());
}

SEC("fentry/eventfd_signal")
int BPF_PROG(step_signal)
{
	return signalled();
}

SEC("fentry/eventfd_signal_mask")
int BPF_PROG(step_signal_mask)
{
	return signalled();
}

SEC("tp_btf/kvm_apic_accept_irq")
int BPF_PROG(step_raise, __u32 apicid, __u16 dm, __u16 tm, __u8 vector)
{
	if (!hot.gate || !current_may_serve())
		return 0;
	return step_put(STEP_RAISE, STEP_IRQ_OF(apicid, vector));
}

SEC("tp_btf/kvm_inj_virq")
int BPF_PROG(step_inject, unsigned int vector)
{
	struct vcpu_state *s = vcpu_current();

	if (!hot.gate || !s)
		return 0;
	return step_put(STEP_INJECT, STEP_IRQ_OF(s->vcpu_id, vector));
}

SEC("tp_btf/kvm_eoi")
int BPF_PROG(step_eoi)
{
	if (!hot.gate || !vcpu_current())
		return 0;
	return step_put(STEP_EOI, 0);
}
