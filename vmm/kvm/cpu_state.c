// SPDX-License-Identifier: MIT
/* The state that KVM gives a fresh vCPU and fresh interrupt controllers, kept so that a guest's
 * reset can put it back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/log.h"
#include "vmm/kvm/kvm.h"
#include "vmm/platform/ioapic.h"

#define MAX_MSRS      512
#define MSR_MTRR_DEF  0x2ff
#define MTRR_ON_WB    (1u << 11 | 6)
#define MSR_MISC_EN   0x1a0
#define MISC_FAST_STR 1u

struct cpu_snapshot {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_fpu fpu;
	struct kvm_xcrs xcrs;
	struct kvm_debugregs debug;
	struct kvm_vcpu_events events;
	struct kvm_lapic_state lapic;
	struct kvm_mp_state mp;
	uint32_t n_msrs;
	struct kvm_msr_entry msr[MAX_MSRS];
};

/* struct kvm_msrs with room for one: its last member has no size of its own. */
union one_msr {
	struct kvm_msrs head;
	char room[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
};

/* In the order in which they are put back: events and the run state last. */
static const struct {
	const char *name;
	unsigned long get, set;
	size_t offset;
} parts[] = {
	{"system registers", KVM_GET_SREGS, KVM_SET_SREGS, offsetof(struct cpu_snapshot, sregs)},
	{"registers", KVM_GET_REGS, KVM_SET_REGS, offsetof(struct cpu_snapshot, regs)},
	{"FPU", KVM_GET_FPU, KVM_SET_FPU, offsetof(struct cpu_snapshot, fpu)},
	{"extended control registers", KVM_GET_XCRS, KVM_SET_XCRS, offsetof(struct cpu_snapshot, xcrs)},
	{"debug registers", KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, offsetof(struct cpu_snapshot, debug)},
	{"local APIC", KVM_GET_LAPIC, KVM_SET_LAPIC, offsetof(struct cpu_snapshot, lapic)},
	{"events", KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, offsetof(struct cpu_snapshot, events)},
	{"run state", KVM_GET_MP_STATE, KVM_SET_MP_STATE, offsetof(struct cpu_snapshot, mp)},
};

static int parts_ioctl(struct vcpu *v, bool set)
{
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (ioctl(v->fd, set ? parts[i].set : parts[i].get,
			  (char *)v->initial + parts[i].offset) >= 0)
			continue;
		log_error("vCPU %u: %s: %s", v->id, parts[i].name, strerror(errno));
		return -ENODEV;
	}
	return 0;
}

/* Which MSRs there are varies with host and CPU: read those of KVM's list that can be read, one by one. */
static int msrs_save(struct kvm *kvm, struct vcpu *v)
{
	union {
		struct kvm_msr_list list;
		char room[sizeof(struct kvm_msr_list) + MAX_MSRS * sizeof(uint32_t)];
	} u = {.list.nmsrs = MAX_MSRS};
	struct cpu_snapshot *s = v->initial;

	if (ioctl(kvm->sys_fd, KVM_GET_MSR_INDEX_LIST, &u) < 0) {
		log_error("KVM: list of MSRs: %s", strerror(errno));
		return -ENODEV;
	}
	for (uint32_t i = 0; i < u.list.nmsrs; i++) {
		union one_msr one = {.head.nmsrs = 1};

		one.head.entries[0].index = u.list.indices[i];
		if (ioctl(v->fd, KVM_GET_MSRS, &one) == 1)
			s->msr[s->n_msrs++] = one.head.entries[0];
	}
	return 0;
}

static void msr_set(struct vcpu *v, uint32_t index, uint64_t value)
{
	union one_msr one = {.head.nmsrs = 1};

	one.head.entries[0] = (struct kvm_msr_entry){.index = index, .data = value};
	/* A host that does not know the MSR leaves the guest without it, too. */
	if (ioctl(v->fd, KVM_SET_MSRS, &one) != 1)
		log_debug("vCPU %u: MSR 0x%x cannot be set", v->id, index);
}

/* What firmware would have done: memory types write-back, without which Linux gives up on PAT; fast
 * strings. */
static void firmware_msrs(struct vcpu *v)
{
	msr_set(v, MSR_MTRR_DEF, MTRR_ON_WB);
	msr_set(v, MSR_MISC_EN, MISC_FAST_STR);
}

int cpu_state_init(struct vcpu *v)
{
	int err;

	firmware_msrs(v);
	if (!v->vm->may_reboot)
		return 0;
	v->initial = calloc(1, sizeof(*v->initial));
	if (!v->initial)
		return -ENOMEM;
	err = parts_ioctl(v, false);
	if (err)
		return err;
	return msrs_save(kvm_of(v->vm), v);
}

int cpu_state_restore(struct vcpu *v)
{
	struct cpu_snapshot *s = v->initial;

	/* KVM must finish the access that ended the guest now, or it would finish it in the new one. */
	v->run->immediate_exit = 1;
	ioctl(v->fd, KVM_RUN, 0);
	/* One by one: KVM stops at the first that it refuses (read-only ones, depending on its version). */
	for (uint32_t i = 0; i < s->n_msrs; i++)
		msr_set(v, s->msr[i].index, s->msr[i].data);
	return parts_ioctl(v, true);
}

struct chip_snapshot {
	struct kvm_irqchip chip[3]; /* PIC master, PIC slave, IOAPIC */
	struct kvm_pit_state2 pit;
};

int chip_state_save(struct vm *vm)
{
	struct kvm *kvm = kvm_of(vm);

	if (kvm->split)
		return 0;
	kvm->chips = calloc(1, sizeof(*kvm->chips));
	if (!kvm->chips)
		return -ENOMEM;
	for (unsigned i = 0; i < ARRAY_SIZE(kvm->chips->chip); i++) {
		kvm->chips->chip[i].chip_id = i;
		if (ioctl(kvm->vm_fd, KVM_GET_IRQCHIP, &kvm->chips->chip[i]) < 0)
			goto fail;
	}
	if (ioctl(kvm->vm_fd, KVM_GET_PIT2, &kvm->chips->pit) >= 0)
		return 0;
fail:
	log_error("KVM: state of the interrupt controllers: %s", strerror(errno));
	return -ENODEV;
}

int chip_state_restore(struct vm *vm)
{
	struct kvm *kvm = kvm_of(vm);
	int bad = 0;

	ioapic_reset(kvm->ioapic);
	if (kvm->split)
		return 0;
	for (unsigned i = 0; i < ARRAY_SIZE(kvm->chips->chip); i++)
		bad |= ioctl(kvm->vm_fd, KVM_SET_IRQCHIP, &kvm->chips->chip[i]) < 0;
	bad |= ioctl(kvm->vm_fd, KVM_SET_PIT2, &kvm->chips->pit) < 0;
	if (bad)
		log_error("KVM: resetting the interrupt controllers: %s", strerror(errno));
	return bad ? -ENODEV : 0;
}
