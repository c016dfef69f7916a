/* SPDX-License-Identifier: MIT */
/* The KVM back end of struct vm, and its vCPU threads. */
#ifndef VMM_KVM_KVM_H
#define VMM_KVM_KVM_H

#include <linux/kvm.h>
#include "vmm/core/machine.h"

struct ioapic;
struct cpu_snapshot;
struct chip_snapshot;

struct vcpu {
	struct vm *vm;
	unsigned id;
	int fd;
	int stats_fd; /* binary statistics; opened before the vCPU runs, -1 where KVM has none */
	struct kvm_run *run;
	pthread_t thread;
	bool has_thread;
	bool running; /* false: its thread waits. Under the VM's run_lock */
	struct stats_vcpu *stats;
	struct cpu_snapshot *initial; /* what KVM made; put back before a reboot */
};

struct kvm {
	int sys_fd, vm_fd;
	int stats_fd; /* as a vCPU's */
	bool split; /* only the local APICs are in the kernel */
	size_t run_size;
	struct vcpu vcpu[STATS_VCPUS];
	struct ioapic *ioapic; /* split only */
	struct chip_snapshot *chips;
	pthread_mutex_t run_lock;
	pthread_cond_t run_cond; /* a vCPU has stopped, or shall run */
	bool ending;             /* the threads shall end */
	pthread_mutex_t route_lock;
	struct kvm_irq_routing *routes;
};

static inline struct kvm *kvm_of(struct vm *vm)
{
	return vm->backend_data;
}

extern const struct vm_backend kvm_backend;

/* Turn a vm made with kvm_backend into a real one: VM, interrupt controllers, RAM slots, vCPUs.
 * -errno logged; -ENODEV: this host cannot. */
int kvm_setup(struct vm *vm, bool split);
/* After the vCPUs have stopped and the devices are gone. */
void kvm_teardown(struct vm *vm);
/* All vCPUs and interrupt controllers as kvm_setup made them; no vCPU may be running. */
int kvm_reset(struct vm *vm);

/* cpuid.c */
int cpuid_setup(struct kvm *kvm, struct vcpu *vcpu, unsigned n_cpus);

/* cpu_state.c */
/* What firmware would set; and, when the guest may reboot, keep the state. */
int cpu_state_init(struct vcpu *vcpu);
int cpu_state_restore(struct vcpu *vcpu);
int chip_state_save(struct vm *vm);
int chip_state_restore(struct vm *vm);

/* vcpu.c */
/* Their threads, which wait. 0 or -errno (logged). */
int vcpus_create(struct vm *vm);
void vcpus_start(struct vm *vm);
/* Make them leave KVM_RUN, and wait until they have. They can be started again. */
void vcpus_stop(struct vm *vm);
void vcpus_destroy(struct vm *vm);

/* kvm_stats.c */
void kvm_stats_text(struct vm *vm, char *buf, size_t size);

#endif
