/* SPDX-License-Identifier: MIT */
/*
 * The few kernel fields that the probes read, for CO-RE: libbpf patches every offset from the running
 * kernel's BTF (vmlinux, or kvm.ko, kvm_amd.ko and kvm_intel.ko when KVM is a module). A `___suffix` is
 * another shape of the same kernel type; which one holds is asked with bpf_core_field_exists and the rest
 * is then dead code.
 */
#ifndef PROBES_KVM_TYPES_BPF_H
#define PROBES_KVM_TYPES_BPF_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pt_regs___sys {
	unsigned long di, si, orig_ax;
};

struct kvm_xen_hvm_config {
	__u32 flags;
};

struct kvm_arch {
	struct kvm_xen_hvm_config xen_hvm_config;
	__u8 vm_type; /* its low byte, where it is longer */
};

struct kvm {
	int userspace_pid;
	struct kvm_arch arch;
};

struct kvm_vcpu_arch {
	unsigned long regs[17]; /* enum kvm_reg: 0 RAX, 1 RCX, ... 16 RIP */
	__u32 hflags;
	__u64 last_guest_tsc;
};

struct kvm_vcpu {
	struct kvm *kvm;
	int cpu;
	int vcpu_id;
	void *run;
	struct kvm_vcpu_arch arch;
};

struct kvm_vmcb_info {
	void *ptr;
};

struct vcpu_svm {
	struct kvm_vcpu vcpu;
	void *vmcb;
	struct kvm_vmcb_info vmcb01; /* the guest's own; vmcb is another one while the guest runs a guest */
};

struct vmcb_control_area {
	__u32 exit_code;
	__u64 exit_info_1, exit_info_2;
};

struct vmcb {
	struct vmcb_control_area control;
};

/* Of each CPU: `svm_data`. */
struct svm_cpu_data {
	struct vmcb *current_vmcb; /* of the vCPU that was loaded last */
};

union vmx_exit_reason {
	__u32 full;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;
	union vmx_exit_reason exit_reason;
	unsigned long exit_qualification;
	__u32 exit_intr_info;
};

/* 6.16 shares these fields with TDX: "KVM: VMX: Move common fields of struct vcpu_{vmx,tdx} to a struct". */
struct vcpu_vt {
	union vmx_exit_reason exit_reason;
	unsigned long exit_qualification;
	__u32 exit_intr_info;
};

struct vcpu_vmx___vt {
	struct vcpu_vt vt;
};

struct tdx_module_args {
	__u64 r10, r12, r13, r14;
};

struct vcpu_tdx {
	struct kvm_vcpu vcpu;
	struct tdx_module_args vp_enter_args;
};

struct kvm_lapic {
	struct kvm_vcpu *vcpu;
};

struct sched_info {
	unsigned long pcount;
	unsigned long long run_delay;
};

struct sched_entity {
	__u64 sum_exec_runtime;
};

struct files_struct {
	struct fdtable *fdt;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct file {
	void *private_data;
};

struct task_struct {
	int pid, tgid;
	unsigned int flags;
	char comm[16];
	struct sched_entity se;
	struct sched_info sched_info;
	struct files_struct *files;
};

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct net_device {
	possible_net_t nd_net;
};

struct sk_buff {
	unsigned int len;
	struct net_device *dev;
};

struct irqaction {
	const char *name;
};

#pragma clang attribute pop

#endif
