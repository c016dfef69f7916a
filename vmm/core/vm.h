/* SPDX-License-Identifier: MIT */
/* What devices may ask of the machine they are in. Everything here may be called from any thread
 * unless it says otherwise. */
#ifndef VMM_CORE_VM_H
#define VMM_CORE_VM_H

#include "vmm/core/gmem.h"
#include "vmm/stats_page.h"

struct vm;
struct threads;

struct gmem *vm_gmem(struct vm *vm);
int vm_kvm_fd(struct vm *vm); /* the VM's fd: VFIO's group wants it; -1 in unit tests */

/* A slot in the statistics page; never NULL (a scratch slot when all are taken). */
struct stats_queue *vm_stats_queue(struct vm *vm, const char *name);
/* One writer per counter, so no atomic addition; readers need the store whole. */
static inline void stats_count(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}
/* Name an address range; base may change later through the returned slot. */
struct stats_region *vm_stats_region(struct vm *vm, const char *name, bool is_pio, uint64_t base,
				     uint64_t len);

/* Port and MMIO ranges for platform devices. PCI BARs are mapped by the PCI core alone. len in bytes. */
struct bus_ops {
	const char *name;
	/* off is relative to the range; len 1, 2, 4 or 8 and within the range. */
	uint64_t (*read)(void *dev, uint64_t off, unsigned len);
	void (*write)(void *dev, uint64_t off, unsigned len, uint64_t val);
};
int vm_map(struct vm *vm, bool pio, uint64_t base, uint64_t len, const struct bus_ops *ops,
	   void *dev);
void vm_unmap(struct vm *vm, bool pio, uint64_t base,
	      const void *dev); /* dev: a guest can put two BARs at one base */

/*
 * Ports base + off and on, whose writes KVM keeps until something reaches the VMM (posted.h says which writes
 * may be so). write gets offsets from base. -errno: they reach the bus as ever.
 */
typedef void (*posted_write_fn)(void *dev, uint64_t off, unsigned len, uint64_t val);
int vm_post_ports(struct vm *vm, uint64_t base, uint64_t off, uint64_t len, posted_write_fn write, void *dev);
/* All that dev has posted from base. */
void vm_unpost_ports(struct vm *vm, uint64_t base, const void *dev);
/* What has been posted until now reaches its device; the caller holds no device's lock. */
void vm_flush_posted(struct vm *vm);

/* A doorbell that KVM turns into an eventfd without leaving the kernel. */
struct ioeventfd {
	bool pio;
	uint64_t addr;
	unsigned len; /* 0: any width (fast MMIO) */
	bool match;
	uint64_t value;
	int fd;
};
int vm_ioeventfd(struct vm *vm, const struct ioeventfd *io, bool add);

/* A host mapping shown to the guest as memory (VFIO BARs): one KVM memory slot. Returns a slot
 * number or -errno. */
int vm_memslot_add(struct vm *vm, gpa_t gpa, uint64_t size, void *hva);
void vm_memslot_del(struct vm *vm, int slot);

/* Level-triggered platform interrupt line (GSI). */
void vm_irq_line(struct vm *vm, unsigned gsi, bool level);
/* Message-signalled: send now. */
int vm_msi_send(struct vm *vm, uint64_t addr, uint32_t data);
/* An MSI route that an eventfd triggers in the kernel. *route is a GSI of KVM's routing table. */
int vm_msi_route(struct vm *vm, int *route, uint64_t addr,
		 uint32_t data); /* *route < 0: allocate; else update */
void vm_msi_unroute(struct vm *vm, int route);
int vm_irqfd(struct vm *vm, int fd, int gsi, int resample_fd,
	     bool add); /* resample_fd -1 unless level */

/* What devices' event loops are made with. */
struct threads *vm_threads(struct vm *vm);
/*
 * Run fn on the control thread and wait for it: a vCPU may make few system calls, and what needs others (a
 * TAP's, a vhost device's or VFIO's ioctls, event loops that change) is done there.
 */
void vm_control(struct vm *vm, void (*fn)(void *arg), void *arg);

/* End the run; the first call wins. */
enum vm_end { VM_END_POWEROFF, VM_END_RESET, VM_END_CRASH };
void vm_end(struct vm *vm, enum vm_end why, int status);
/* The guest's kernel said that it panicked: a reset is now a crash. Linux says so twice when it
 * will not reset: then the run ends here. */
void vm_note_panic(struct vm *vm);

#endif
