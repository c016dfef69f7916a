/* SPDX-License-Identifier: MIT */
/* Reason and key of the exit that a vCPU is in, as SVM and VMX tell them. Included once, by exit.bpf.c. */
#ifndef PROBES_EXIT_KEY_BPF_H
#define PROBES_EXIT_KEY_BPF_H

#include "probes/common.bpf.h"
#include "probes/exit_codes.bpf.h"
#include "probes/ghcb_key.h"
#include "probes/tdx_key.h"
#include "probes/vmx_key.h"

/* AMD64 APM volume 2, appendix B: VMCB offsets of EXITCODE, EXITINFO1, EXITINFO2. */
#define VMCB_EXITCODE 0x70

#define PFERR_RSVD (1u << 3) /* KVM marks what is not RAM with reserved bits: this fault is MMIO */

struct vmcb_exit {
	__u64 code, info1, info2;
};

/* KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL of <linux/kvm.h>. */
#define XEN_INTERCEPT_HCALL 2

/* Of a VM that is one of Xen's the call and, in 64-bit mode, which of a family of calls: RDI. */
static __always_inline __u64 hypercall_key(struct kvm_vcpu *vcpu)
{
	__u64 nr = vcpu->arch.regs[0];
	struct kvm *kvm = vcpu->kvm;
	__u32 flags = 0;

	/* It lies too far into struct kvm for an offset of a load. */
	if (bpf_core_field_exists(kvm->arch.xen_hvm_config))
		bpf_core_read(&flags, sizeof(flags), &kvm->arch.xen_hvm_config.flags);
	if (flags & XEN_INTERCEPT_HCALL)
		return KEY_XEN | (nr & 0xffff) | (vcpu->arch.regs[7] & 0xffff) << 16;
	return nr & ~KEY_XEN;
}

/* EXITINFO1 and 2: of the copy, where there is one. */
static __always_inline __u64 svm_info1(struct vmcb *typed, const struct vmcb_exit *copy)
{
	if (copy)
		return copy->info1;
	return typed->control.exit_info_1;
}

static __always_inline __u64 svm_info2(struct vmcb *typed, const struct vmcb_exit *copy)
{
	if (copy)
		return copy->info2;
	return typed->control.exit_info_2;
}

static __always_inline __u64 svm_key(struct vcpu_state *s, struct kvm_vcpu *vcpu, struct vmcb *typed,
				     const struct vmcb_exit *copy)
{
	__u64 info1;

	switch (s->reason) {
	case SVM_IOIO:
		info1 = svm_info1(typed, copy);
		return (info1 >> 16 & 0xffff) | (info1 & 1) * KEY_IN;
	case SVM_MSR:
		return (__u32)vcpu->arch.regs[1] | (svm_info1(typed, copy) & 1) * KEY_WRITE;
	case SVM_VMMCALL:
		return hypercall_key(vcpu);
	case SVM_NPF:
		s->gpa = svm_info2(typed, copy);
		if (svm_info1(typed, copy) & PFERR_RSVD)
			return s->gpa;
		break;
	case SVM_AVIC_UNACCELERATED: /* EXITINFO1: 11:4 the register, 32 a write */
		info1 = svm_info1(typed, copy);
		return KEY_SOME | (info1 & 0xff0) | (info1 & KEY_WRITE);
	}
	return KEY_NONE;
}

/*
 * `svm_data` has a pointer to the VMCB of the vCPU that was loaded last on this CPU, and its type. What the
 * program is to take for that variable's address is put in before it is loaded (vmcb.c).
 */
static __always_inline struct vmcb *svm_typed(void)
{
	struct svm_cpu_data *of_cpu;
	void *at;

	asm volatile("%0 = %1 ll" : "=r"(at) : "i"(SVM_DATA_PLACE));
	of_cpu = bpf_this_cpu_ptr(at);
	return of_cpu->current_vmcb;
}

/* A function of its own: one load may not be through either kind of pointer. */
static __noinline int read_svm_copy(struct vcpu_state *s, struct kvm_vcpu *vcpu)
{
	struct vmcb_exit e;

	if (!s)
		return 0;
	bpf_probe_read_kernel(&e, sizeof(e), (void *)(s->vmcb + VMCB_EXITCODE));
	s->reason = e.code;
	s->key = svm_key(s, vcpu, NULL, &e);
	return 0;
}

/* A typed load is a few instructions, a helper that copies is a hundred. */
static __always_inline void read_svm(struct vcpu_state *s, struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = (void *)vcpu;
	__u32 hflags = vcpu->arch.hflags;
	struct vmcb *typed;

	/* The pointer changes only when the vCPU enters or leaves its own guest, and hflags with it. */
	if (s->hflags != hflags) {
		bpf_core_read(&s->vmcb, sizeof(s->vmcb), &svm->vmcb);
		s->hflags = hflags;
	}
	if (cfg_svm_data) {
		typed = svm_typed();
		/* Another one while it runs its own guest, and behind that until it is loaded again. */
		if ((__u64)typed == s->vmcb) {
			s->reason = typed->control.exit_code;
			s->key = svm_key(s, vcpu, typed, NULL);
			return;
		}
	}
	read_svm_copy(s, vcpu);
}

static __always_inline __u32 vmx_reason(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx___vt *vt = (void *)vcpu;
	struct vcpu_vmx *vmx = (void *)vcpu;
	__u32 reason = 0;

	if (bpf_core_field_exists(vt->vt))
		bpf_core_read(&reason, sizeof(reason), &vt->vt.exit_reason);
	else if (bpf_core_field_exists(vmx->exit_reason))
		bpf_core_read(&reason, sizeof(reason), &vmx->exit_reason);
	return reason;
}

/* KVM reads these from the VMCS only when its handler asks, hence at the entry, not at the exit. */
static __always_inline __u64 vmx_qualification(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx___vt *vt = (void *)vcpu;
	struct vcpu_vmx *vmx = (void *)vcpu;
	unsigned long q = 0;

	if (bpf_core_field_exists(vt->vt))
		bpf_core_read(&q, sizeof(q), &vt->vt.exit_qualification);
	else if (bpf_core_field_exists(vmx->exit_qualification))
		bpf_core_read(&q, sizeof(q), &vmx->exit_qualification);
	return q;
}

static __always_inline __u32 vmx_intr_info(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx___vt *vt = (void *)vcpu;
	struct vcpu_vmx *vmx = (void *)vcpu;
	__u32 info = 0;

	if (bpf_core_field_exists(vt->vt))
		bpf_core_read(&info, sizeof(info), &vt->vt.exit_intr_info);
	else if (bpf_core_field_exists(vmx->exit_intr_info))
		bpf_core_read(&info, sizeof(info), &vmx->exit_intr_info);
	return info;
}

/* What a TDX guest asked for: its registers are hidden, but those that it hands over. */
static __always_inline struct tdx_call tdx_call_of(struct kvm_vcpu *vcpu)
{
	struct vcpu_tdx *tdx = (void *)vcpu;
	struct tdx_call c = {};

	if (!bpf_core_field_exists(tdx->vp_enter_args))
		return c;
	bpf_core_read(&c.r10, sizeof(c.r10), &tdx->vp_enter_args.r10);
	bpf_core_read(&c.r12, sizeof(c.r12), &tdx->vp_enter_args.r12);
	bpf_core_read(&c.r13, sizeof(c.r13), &tdx->vp_enter_args.r13);
	bpf_core_read(&c.r14, sizeof(c.r14), &tdx->vp_enter_args.r14);
	return c;
}

static __always_inline void read_vmx(struct vcpu_state *s, struct kvm_vcpu *vcpu)
{
	s->reason = vmx_reason(vcpu) & 0xffff;
	s->key = KEY_NONE;
	if (s->reason == VMX_RDMSR || s->reason == VMX_WRMSR)
		s->key = (__u32)vcpu->arch.regs[1];
	else if (s->reason == VMX_VMCALL && s->tdx)
		s->key = tdx_call_of(vcpu).r10; /* becomes the result */
	else if (s->reason == VMX_VMCALL)
		s->key = hypercall_key(vcpu);
}

/*
 * What KVM has only once its handler asked: the qualification, and RCX where a TDX module hands it over.
 * Also for an exit that never gets as far as an entry.
 */
static __always_inline void late_vmx(struct vcpu_state *s, struct kvm_vcpu *vcpu, __u64 rcx)
{
	__u32 reason = s->reason & ~REASON_NESTED;
	struct tdx_call call;

	if (vmx_has_qualification(reason) && s->tdx) {
		call = tdx_call_of(vcpu);
		s->key = tdx_key_of(reason, &call);
	} else if (vmx_has_qualification(reason)) {
		s->key = vmx_key_of(reason, vmx_qualification(vcpu));
	} else if (reason == VMX_EXCEPTION && s->key == KEY_NONE) {
		s->key = vmx_intr_info(vcpu) & 0xff;
	} else if (reason == VMX_RDMSR || reason == VMX_WRMSR) {
		s->key = (__u32)rcx;
	}
}

static __always_inline void read_exit(struct vcpu_state *s, struct kvm_vcpu *vcpu, enum probe_backend backend,
				      enum detail detail)
{
	if (backend == BACKEND_SVM)
		read_svm(s, vcpu);
	else
		read_vmx(s, vcpu);
	if (detail == FULL && hot.flags & HOT_RIP)
		s->key = vcpu->arch.regs[16];
}

#endif
