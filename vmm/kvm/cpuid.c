// SPDX-License-Identifier: MIT
/* What the guest's processor says it is: all that KVM supports here, with our topology (one
 * package, one thread a core) and the timer facts that spare a guest its calibration. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/log.h"
#include "vmm/kvm/kvm.h"

#define MAX_ENTRIES 256

static unsigned bits_for(unsigned n)
{
	return n > 1 ? 32 - (unsigned)__builtin_clz(n - 1) : 0;
}

/* Leaves 0xb and 0x1f (SDM 2A, CPUID): level 0 is threads, level 1 cores. */
static void set_topology(struct kvm_cpuid_entry2 *e, unsigned id, unsigned n)
{
	e->edx = id;
	e->ecx = e->index & 0xff;
	e->eax = e->ebx = 0;
	if (e->index == 0) {
		e->ebx = 1;
		e->ecx |= 1 << 8;
	} else if (e->index == 1) {
		e->eax = bits_for(n);
		e->ebx = n;
		e->ecx |= 2 << 8;
	}
}

static void patch_leaf(struct kvm_cpuid_entry2 *e, unsigned id, unsigned n, bool deadline)
{
	switch (e->function) {
	case 1:
		e->ebx = (e->ebx & 0xff00) | id << 24 | n << 16;
		e->ecx |= 1u << 31 | bits_if(deadline, 1u << 24); /* hypervisor, TSC deadline timer */
		e->edx = (e->edx & ~(1u << 28)) | bits_if(n > 1, 1u << 28);
		break;
	case 4: /* caches: private below level 3, package-wide from there */
		e->eax &= 0x3fff;
		e->eax |= (n - 1) << 26 | bits_if((e->eax >> 5 & 7) >= 3, (n - 1) << 14);
		break;
	case 6: /* no energy bias, no frequency counters: their MSRs do not work in a guest */
		e->eax &= 1u << 2;
		e->ecx = 0;
		break;
	case 0xb:
	case 0x1f:
		set_topology(e, id, n);
		break;
	case 0x80000008: /* AMD: cores and the bits of their IDs */
		e->ecx = bits_for(n) << 12 | (n - 1);
		break;
	case 0x8000001d: /* AMD: the same as leaf 4, without the core count */
		e->eax &= 0x3fff;
		e->eax |= bits_if((e->eax >> 5 & 7) >= 3, (n - 1) << 14);
		break;
	case 0x8000001e: /* AMD: extended topology */
		e->eax = id;
		e->ebx = id;
		e->ecx = 0;
		break;
	}
}

int cpuid_setup(struct kvm *kvm, struct vcpu *vcpu, unsigned n_cpus)
{
	bool deadline = ioctl(kvm->vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0;
	struct kvm_cpuid2 *cpuid;
	int err = 0;

	cpuid = calloc(1, sizeof(*cpuid) + MAX_ENTRIES * sizeof(cpuid->entries[0]));
	if (!cpuid)
		return -ENOMEM;
	cpuid->nent = MAX_ENTRIES;
	if (ioctl(kvm->sys_fd, KVM_GET_SUPPORTED_CPUID, cpuid) < 0)
		err = -errno;
	for (unsigned i = 0; !err && i < cpuid->nent; i++)
		patch_leaf(&cpuid->entries[i], vcpu->id, n_cpus, deadline);
	if (!err && ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid) < 0)
		err = -errno;
	free(cpuid);
	if (!err)
		return 0;
	log_error("KVM: processor identification: %s", strerror(-err));
	return -ENODEV;
}
