/* SPDX-License-Identifier: MIT */
/*
 * Posted writes: ports whose writes stay in the kernel, in a ring (KVM_REGISTER_COALESCED_MMIO with pio),
 * until something reaches the VMM that could see whether they have happened.
 *
 *      vCPU writes 0x1f2 -> KVM: [first ... last) grows, the guest runs on
 *      vCPU writes 0x1f7 -> KVM_RUN returns: posted_flush(), then the write itself
 *
 * A write that finds the ring full returns as any other, so the order is kept. A VM has one ring for all its
 * vCPUs, in a page behind the first one's struct kvm_run. KVM alone writes its entries and `last`, the VMM
 * alone `first`; no guest can reach it. What an entry holds is the guest's, its port is one of a zone.
 *
 * A device may post only writes that do nothing but change what later accesses find. It gets them on the
 * thread of any vCPU, or on its own when that calls vm_flush_posted, under the lock that keeps them in order:
 * it may take its innermost lock for them, not its PCI device's, and may wait for nobody.
 */
#ifndef VMM_CORE_POSTED_H
#define VMM_CORE_POSTED_H

#include <linux/kvm.h>
#include <pthread.h>

#include "vmm/core/vm.h"

#define POSTED_ZONES 16

struct posted_zone {
	uint64_t base, off, len;
	posted_write_fn write;
	void *dev;
};

struct posted {
	pthread_mutex_t lock; /* after PCI devices' locks, before what is inside of them */
	struct kvm_coalesced_mmio_ring *ring; /* NULL: this back end has none */
	unsigned slots;
	size_t n;
	struct posted_zone zone[POSTED_ZONES];
};

void posted_init(struct posted *p);
void posted_destroy(struct posted *p);
/* The back end's ring, in bytes of memory; NULL takes it away. */
void posted_set_ring(struct posted *p, void *ring, size_t bytes);
/* What was posted until now reaches its device. */
void posted_flush(struct posted *p);
/* What was posted is forgotten. */
void posted_drop(struct posted *p);

#endif
