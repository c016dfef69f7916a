// SPDX-License-Identifier: MIT
/*
 * One exit's life: kvm_exit, perhaps kvm_userspace_exit, kvm_entry. The row is written at the entry, when
 * all is known.
 *
 * This runs twice per exit, so it is made of loads and stores: no map look-up but one array element
 * (inlined), no hash, no atomics, and of helpers only the clock and, on SVM, where this CPU's variables are.
 */
#include "probes/common.bpf.h"
#include "workloads/protocol.h"

const volatile __u32 cfg_rows = ROWS_DEFAULT;
const volatile bool cfg_svm_data = false; /* SVM_DATA_PLACE is filled in */

#include "probes/exit_key.bpf.h"
#include "probes/rows.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* ---- kvm_exit ... kvm_entry ---- */

/* KVM_EXIT_* of <linux/kvm.h>. */
#define EXIT_IO   2
#define EXIT_MMIO 6
#define EXIT_INTR 10

/*
 * SVM tells port and value at once. A guest's guest writes its own hypervisor's port: KVM then
 * runs it on another VMCB.
 */
static __always_inline void look_for_marker(struct vcpu_state *s, struct kvm_vcpu *vcpu, __u64 now)
{
	struct vcpu_svm *svm = (void *)vcpu;
	void *own = NULL;

	if (s->reason != SVM_IOIO || s->key != MARKER_PORT || !(hot.flags & HOT_MARKER))
		return;
	bpf_core_read(&own, sizeof(own), &svm->vmcb01.ptr);
	if (s->vmcb == (__u64)own)
		window_marker(vcpu->arch.regs[0] & 0xff, s->slot, now);
}

static __always_inline int exit_outside(struct vcpu_state *s, struct kvm_vcpu *vcpu,
					enum probe_backend backend)
{
	s->where = AT_UNKNOWN;
	if (backend == BACKEND_SVM && hot.flags & HOT_MARKER) {
		read_svm(s, vcpu);
		look_for_marker(s, vcpu, bpf_ktime_get_ns());
	}
	return 0;
}

/*
 * Not straight from the guest. A thread that was off the CPU meanwhile had left the guest already: some
 * kernels trace the exit only when interrupts are on again, so that is where the exit began.
 */
static __noinline int exit_begins_oddly(struct vcpu_state *s, __u64 now)
{
	if (!s)
		return 0;
	if (s->where != (IN_GUEST | WAS_OFF)) {
		off_forget(s);
		s->guest_ns = 0;
		s->where = IN_EXIT;
		return 0;
	}
	s->exit_ns = now - off_take_apart(s);
	s->guest_ns = s->exit_ns - s->entry_ns;
	s->guest_total_ns += s->guest_ns;
	s->where = IN_EXIT | WAS_OFF;
	return 0;
}

static __always_inline int exit_begins(struct kvm_vcpu *vcpu, enum probe_backend backend,
				       enum detail detail)
{
	/*
	 * 6.12 takes any argument of a tracepoint for one that may be NULL ("bpf: Mark raw_tp arguments with
	 * PTR_MAYBE_NULL") and lets nobody add to it.
	 */
	struct vcpu_state *s = vcpu ? vcpu_get(vcpu) : NULL;
	__u64 now;

	if (!s)
		return 0;
	if (!hot.gate)
		return exit_outside(s, vcpu, backend);
	now = bpf_ktime_get_ns();
	s->exit_ns = now;
	s->user_ns = 0;
	if (s->where == IN_GUEST) {
		s->guest_ns = now - s->entry_ns;
		s->guest_total_ns += s->guest_ns;
		s->where = IN_EXIT;
	} else {
		exit_begins_oddly(s, now);
	}
	s->exits++;
	if (backend == BACKEND_SVM) {
		read_svm(s, vcpu);
		look_for_marker(s, vcpu, now);
	} else {
		read_vmx(s, vcpu);
	}
	if (detail == FULL && hot.flags & HOT_RIP)
		s->key = vcpu->arch.regs[16];
	return 0;
}

/*
 * Two entries without an exit between them: the fast path re-entered before the place where this kernel
 * traces.
 */
static __always_inline void record_untraced(struct vcpu_state *s, struct kvm_vcpu *vcpu,
					    enum probe_backend backend, enum detail detail)
{
	s->untraced++;
	read_exit(s, vcpu, backend, detail);
	exit_record_untraced(s);
	if (detail == FULL && hot.flags & HOT_PAIRS)
		pair_break(s->slot);
}

/* The row is looked for before all that is kept in registers is loaded: a helper leaves few. */
static __always_inline __u64 exit_is_over(struct vcpu_state *s, struct kvm_vcpu *vcpu, __u64 now,
					  enum probe_backend backend, enum detail detail, bool odd)
{
	struct exit_row *row;
	__u64 tsc;

	if (backend == BACKEND_VMX && !(detail == FULL && hot.flags & HOT_RIP))
		late_vmx(s, vcpu, vcpu->arch.regs[1]);
	row = row_ready(s);
	tsc = vcpu->arch.last_guest_tsc;
	exit_record(s, row, now, tsc == s->last_tsc, detail, odd);
	return tsc;
}

/*
 * last_guest_tsc is written after every exit that leaves KVM's inner loop and not by one that the fast path
 * handles, so an unchanged value says "fast path", on every back end. kvm_guest_time_update writes it as
 * well, the same value as long as the master clock stands: on_clock_update.
 */
static __always_inline int exit_ends(struct kvm_vcpu *vcpu, enum probe_backend backend, enum detail detail)
{
	struct vcpu_state *s = vcpu ? vcpu_get(vcpu) : NULL;
	__u64 now, tsc;

	if (!s || (!hot.gate && !(s->where & IN_EXIT)))
		return 0;
	now = bpf_ktime_get_ns();
	/* The plain exit first, and alone: what the others need would cost it registers. */
	if (s->where == IN_EXIT) {
		tsc = exit_is_over(s, vcpu, now, backend, detail, false);
	} else if (s->where & IN_EXIT) {
		tsc = exit_is_over(s, vcpu, now, backend, detail, true);
	} else {
		tsc = vcpu->arch.last_guest_tsc;
		if (s->where == IN_GUEST)
			record_untraced(s, vcpu, backend, detail);
	}
	s->where = hot.gate; /* IN_GUEST, or AT_UNKNOWN */
	s->last_tsc = tsc;
	s->entry_ns = now;
	return 0;
}

/*
 * One program for each back end and detail: asking a variable which it is costs a load, and a page, each
 * time. The arguments are (vcpu, isa); before 5.16 ("KVM: x86: Get exit_reason as part of
 * kvm_x86_ops.get_exit_info") the reason came first.
 */
#define PROGRAMS(name, backend, detail)                                                           \
	SEC("tp_btf/kvm_exit")                                                                    \
	int on_exit_##name(__u64 *ctx)                                                            \
	{                                                                                         \
		return exit_begins((void *)ctx[0], backend, detail);                              \
	}                                                                                         \
	SEC("tp_btf/kvm_exit")                                                                    \
	int on_exit_##name##_reason_first(__u64 *ctx)                                             \
	{                                                                                         \
		return exit_begins((void *)ctx[1], backend, detail);                              \
	}                                                                                         \
	SEC("tp_btf/kvm_entry")                                                                   \
	int on_entry_##name(__u64 *ctx)                                                           \
	{                                                                                         \
		return exit_ends((void *)ctx[0], backend, detail);                                \
	}

PROGRAMS(svm, BACKEND_SVM, PLAIN)
PROGRAMS(svm_full, BACKEND_SVM, FULL)
PROGRAMS(vmx, BACKEND_VMX, PLAIN)
PROGRAMS(vmx_full, BACKEND_VMX, FULL)

/*
 * Does this userspace exit belong to the window? The marker's own are told apart by the thread that wrote
 * it.
 */
static __always_inline bool user_counts(struct vcpu_state *s)
{
	__u32 take = s->take_user;

	if (!take)
		return hot.gate;
	s->take_user = 0;
	return take == 1;
}

/*
 * Not the plain way from an exit to userspace. A KVM_RUN that comes back without having entered the guest (a
 * signal, immediate_exit) is one more return of the same exit, whose time in userspace began with the first.
 */
static __noinline int user_begins_oddly(struct vcpu_state *s)
{
	if (!s || !(s->where & IN_EXIT) || s->user_ns)
		return 0;
	off_take_apart(s);
	s->user_ns = bpf_ktime_get_ns();
	return 0;
}

static __always_inline int user_begins(__u32 reason, int err, enum probe_backend backend)
{
	struct vcpu_state *s = vcpu_current();
	struct kvm_vcpu *vcpu;

	if (!s || !user_counts(s))
		return 0;
	s->user_exits++;
	if (s->where == IN_EXIT && !s->user_ns)
		s->user_ns = bpf_ktime_get_ns();
	else
		user_begins_oddly(s);
	vcpu = (void *)s->vcpu;
	if (backend == BACKEND_VMX && vcpu && !(hot.flags & HOT_RIP))
		late_vmx(s, vcpu, BPF_CORE_READ(vcpu, arch.regs[1]));
	if (reason != EXIT_MMIO || err < 0)
		return 0;
	s->user_mmio++;
	/*
	 * The first access to a page of registers faults like one to RAM; only now is it known for what it
	 * is. (VMX: kvm_mmio tells.)
	 */
	if (backend == BACKEND_SVM && (s->reason & ~REASON_NESTED) == SVM_NPF && !(hot.flags & HOT_RIP))
		s->key = s->gpa;
	return 0;
}

SEC("tp_btf/kvm_userspace_exit")
int BPF_PROG(on_userspace_svm, __u32 reason, int err)
{
	return user_begins(reason, err, BACKEND_SVM);
}

SEC("tp_btf/kvm_userspace_exit")
int BPF_PROG(on_userspace_vmx, __u32 reason, int err)
{
	return user_begins(reason, err, BACKEND_VMX);
}

/*
 * VMX tells an MMIO access by an EPT misconfiguration, the first one to a page by a violation, and under
 * shadow paging by a page fault, and its address by none of them; these do.
 */
static __always_inline void key_gpa(__u64 gpa)
{
	struct vcpu_state *s = vcpu_current();
	__u32 reason;

	if (!s || !(s->where & IN_EXIT) || hot.flags & HOT_RIP)
		return;
	reason = s->reason & ~REASON_NESTED;
	if (reason == VMX_EPT_MISCONFIG || reason == VMX_EPT_VIOLATION || reason == VMX_EXCEPTION)
		s->key = gpa;
}

SEC("tp_btf/kvm_mmio")
int BPF_PROG(on_vmx_mmio, int type, int len, __u64 gpa)
{
	key_gpa(gpa);
	return 0;
}

SEC("tp_btf/kvm_fast_mmio")
int BPF_PROG(on_vmx_fast_mmio, __u64 gpa)
{
	key_gpa(gpa);
	return 0;
}

/* The guest's clock was set on the way to an entry: no fast path, whatever last_guest_tsc says. */
SEC("tp_btf/kvm_pvclock_update")
int on_clock_update(void *ctx)
{
	struct vcpu_state *s = vcpu_current();

	if (s)
		s->last_tsc = 0;
	return 0;
}

/*
 * The exit that this vCPU is in was its guest's guest's: asked after the exit itself, and only when such a
 * guest ran.
 */
SEC("tp_btf/kvm_nested_vmexit")
int on_nested_exit(void *ctx)
{
	struct vcpu_state *s = vcpu_current();

	if (s && s->where & IN_EXIT && !(s->reason >> 30))
		s->reason |= REASON_NESTED;
	return 0;
}

/*
 * A guest whose registers are hidden (SEV-ES) leaves by VMGEXIT and says why on a page that it shares with
 * KVM.
 */
SEC("raw_tp/kvm_vmgexit_enter")
int on_vmgexit(struct bpf_raw_tracepoint_args *ctx)
{
	struct vcpu_state *s = vcpu_current();
	struct ghcb_exit g = {};

	if (!s || !(s->where & IN_EXIT) || s->reason != SVM_VMGEXIT || hot.flags & HOT_RIP)
		return 0;
	bpf_probe_read_kernel(&g.block, sizeof(g.block), (void *)(ctx->args[1] + GHCB_BLOCK));
	bpf_probe_read_kernel(&g.rax, sizeof(g.rax), (void *)(ctx->args[1] + GHCB_RAX));
	bpf_probe_read_kernel(&g.rcx, sizeof(g.rcx), (void *)(ctx->args[1] + GHCB_RCX));
	s->reason = ghcb_reason(&g);
	s->key = ghcb_key(&g);
	return 0;
}

/* ---- back ends that emit no kvm_exit: KVM_RUN in, kvm_userspace_exit out ---- */

#define SYS_IOCTL 16
#define KVM_RUN   0xae80

/* The vCPU behind a file: what KVM_RUN is called on. */
static __always_inline __u64 vcpu_of_fd(__u32 fd)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct fdtable *table = task->files->fdt;
	struct file **files = table->fd, *file = NULL;

	if (fd >= table->max_fds)
		return 0;
	bpf_probe_read_kernel(&file, sizeof(file), &files[fd]);
	return (__u64)BPF_CORE_READ(file, private_data);
}

/* The state of the vCPU that this KVM_RUN is of. Its file says which: a number may be another one's now. */
static __always_inline struct vcpu_state *vcpu_of_run(__u32 fd)
{
	__u32 cpu = bpf_get_smp_processor_id() & (CPU_SLOTS - 1);
	struct vcpu_state *s = &hot.vcpu[hot.cpu_slot[cpu] & (PROBE_VCPUS - 1)];
	__u64 vcpu = vcpu_of_fd(fd);

	if (!vcpu || s->vcpu == vcpu)
		return vcpu ? s : NULL;
	return vcpu_slot(vcpu_find(vcpu, cpu));
}

SEC("tp_btf/sys_enter")
int BPF_PROG(on_run, struct pt_regs___sys *regs, long id)
{
	struct vcpu_state *s;
	__u64 now;

	if (id != SYS_IOCTL || (__u32)regs->si != KVM_RUN)
		return 0;
	if (!tgid_watched())
		return 0;
	s = vcpu_of_run(regs->di);
	if (!s || (!hot.gate && !(s->where & IN_EXIT)))
		return 0;
	now = bpf_ktime_get_ns();
	if (s->where & IN_EXIT)
		exit_record(s, row_ready(s), now, false, FULL, true);
	s->where = hot.gate ? IN_GUEST : AT_UNKNOWN;
	s->entry_ns = now;
	return 0;
}

/* The first members of struct kvm_run, fixed by the ABI. */
struct run_page {
	__u8 head[32];
	union {
		struct {
			__u8 direction, size; /* direction 0 is in */
			__u16 port;
		} io;
		struct {
			__u64 gpa;
			__u8 data[8];
			__u32 len;
			__u8 is_write;
		} mmio;
	};
};

static __always_inline __u64 run_key(struct vcpu_state *s, __u32 reason)
{
	struct kvm_vcpu *vcpu = (void *)s->vcpu;
	struct run_page run = {};

	if (vcpu && hot.flags & HOT_RIP)
		return BPF_CORE_READ(vcpu, arch.regs[16]);
	if (!vcpu || (reason != EXIT_IO && reason != EXIT_MMIO))
		return KEY_NONE;
	bpf_probe_read_kernel(&run, sizeof(run), BPF_CORE_READ(vcpu, run));
	if (reason == EXIT_IO)
		return run.io.port | (run.io.direction ? 0 : KEY_IN);
	return run.mmio.gpa;
}

SEC("tp_btf/kvm_userspace_exit")
int BPF_PROG(on_run_end, __u32 reason, int err)
{
	struct vcpu_state *s = vcpu_current();
	__u64 now;

	if (!s)
		return 0;
	if (!user_counts(s)) {
		s->where = AT_UNKNOWN;
		return 0;
	}
	now = bpf_ktime_get_ns();
	s->guest_ns = s->where & IN_GUEST ? now - s->entry_ns : 0;
	s->guest_total_ns += s->guest_ns;
	off_forget(s); /* KVM's, and a halted guest's: cannot be told apart here */
	s->exit_ns = now;
	s->user_ns = now;
	s->where = IN_EXIT;
	s->exits++;
	s->user_exits++;
	s->user_mmio += reason == EXIT_MMIO && err >= 0;
	/* A signal ends KVM_RUN with an error and leaves an old reason behind. */
	s->reason = err < 0 ? EXIT_INTR : reason;
	s->key = err < 0 ? KEY_NONE : run_key(s, reason);
	return 0;
}
