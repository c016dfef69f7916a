/* SPDX-License-Identifier: MIT */
/* The inside of struct vm: for the core, the platform and main, not for devices (those see vm.h).
 */
#ifndef VMM_CORE_MACHINE_H
#define VMM_CORE_MACHINE_H

#include "vmm/core/bus.h"
#include "vmm/core/posted.h"
#include "vmm/core/threads.h"

struct pci_core;

/* What vm.h passes on to KVM, or to the recorder of unit tests (fake.c). */
struct vm_backend {
	int (*vm_fd)(struct vm *vm);
	int (*ioeventfd)(struct vm *vm, const struct ioeventfd *io, bool add);
	/* Writes of these ports go into posted.ring. */
	int (*post_ports)(struct vm *vm, uint64_t addr, uint64_t len, bool add);
	/* size 0 removes the slot. */
	int (*memslot)(struct vm *vm, unsigned slot, gpa_t gpa, uint64_t size, void *hva);
	void (*irq_line)(struct vm *vm, unsigned gsi, bool level);
	int (*msi_send)(struct vm *vm, uint64_t addr, uint32_t data);
	/* Program entry gsi of the routing table; addr 0 removes it. */
	int (*msi_route)(struct vm *vm, int gsi, uint64_t addr, uint32_t data);
	int (*irqfd)(struct vm *vm, int fd, int gsi, int resample_fd, bool add);
	/* The vCPU whose thread calls, or -1. */
	int (*this_vcpu)(struct vm *vm);
	/* KVM's own statistics as text (stats_page.h); no vCPU need be stopped. */
	void (*stats_text)(struct vm *vm, char *buf, size_t size);
};

#define VM_SLOTS      64 /* memory slots: RAM first, then what devices back */
#define VM_GSI_FIRST  24 /* MSI routes lie above the IOAPIC's pins */
#define VM_GSI_ROUTES 256

struct vm {
	struct gmem *gm;
	const struct vm_backend *backend;
	void *backend_data;
	struct bus pio, mmio;
	struct posted posted;
	struct stats_page *stats;
	struct pci_core *pci;
	struct threads threads;
	struct evloop *control;
	unsigned n_cpus;
	bool may_reboot;

	pthread_mutex_t lock; /* slots and routes below; taken after any device's lock */
	bool slot_used[VM_SLOTS];
	bool route_used[VM_GSI_ROUTES];

	pthread_mutex_t end_lock;
	int end_fd; /* readable once the run has ended */
	bool ended;
	bool panicked; /* the guest said so on its console: a reset is then a crash */
	enum vm_end end_why;
	int end_status;
};

struct vm_opts {
	uint64_t mem_bytes;
	unsigned n_cpus;
	int stats_fd;       /* -1: a private page */
	bool shared_memory; /* guest memory in a memfd */
	bool may_reboot;    /* keep what a reset must put back */
};

/* Everything that needs no KVM: memory, buses, statistics page. The PCI core is made in it, and ends before
 * it. */
int vm_create(struct vm **out, const struct vm_opts *opts, const struct vm_backend *backend);
void vm_destroy(struct vm *vm);
bool vm_has_ended(struct vm *vm);
/* Before a reboot: forget the end. */
void vm_clear_end(struct vm *vm);

/* window.c: the marker port and the snapshots that it takes */
int window_init(struct vm *vm);
/* After the last vCPU has stopped. */
void window_finish(struct vm *vm);

/* stats.c */
int stats_create(struct stats_page **out, int fd, unsigned n_cpus);
void stats_destroy(struct stats_page *page);

#endif
