/* SPDX-License-Identifier: MIT */
/*
 * A machine without KVM, for unit tests: real guest memory, buses and PCI core; interrupts and
 * doorbells are recorded.
 *
 *   struct vm *vm = fake_vm_create(64 * MIB);
 *   struct pci_dev *dev = fake_attach(vm, &e1000_ops, "mode=e1000");   (bus master on, BARs mapped)
 *   fake_write(dev, 0, 0x100, 4, 1);  assert_int_equal(fake_read(dev, 0, 0x8, 4), 3);
 *   assert_int_equal(fake_of(vm)->n_msi, 1);
 *   fake_vm_destroy(vm);
 */
#ifndef TESTS_UNIT_FAKE_H
#define TESTS_UNIT_FAKE_H

#include "vmm/core/machine.h"
#include "vmm/pci/core.h"

#define FAKE_LOG 64

struct fake {
	int this_vcpu; /* the vCPU on whose thread the test is, or -1 */
	bool line[24]; /* level of each GSI */
	unsigned n_line_changes;
	/* Messages sent, the newest FAKE_LOG of them at [i % FAKE_LOG]. */
	unsigned n_msi;
	struct {
		uint64_t addr;
		uint32_t data;
	} msi[FAKE_LOG];
	struct {
		uint64_t addr, len;
	} posted[FAKE_LOG]; /* ports whose writes are kept */
	unsigned n_posted;
	uint8_t ring[4096] __attribute__((aligned(8))); /* where they are kept, as KVM does */
	struct ioeventfd ioeventfd[FAKE_LOG]; /* those registered now */
	unsigned n_ioeventfd;
	struct {
		int fd, gsi;
	} irqfd[FAKE_LOG]; /* those attached now */
	unsigned n_irqfd;
	unsigned n_route_changes;
	struct {
		uint64_t addr;
		uint32_t data;
	} route[VM_GSI_FIRST + VM_GSI_ROUTES];
	struct {
		gpa_t gpa;
		uint64_t size;
		void *hva;
	} slot[VM_SLOTS];
	unsigned n_stats_reads; /* the statistics' text is "reads N" */
	int fail_ioeventfd, fail_irqfd; /* a negative errno makes the call fail */
};

/* NULL when memory is out. */
struct vm *fake_vm_create(uint64_t mem_bytes);
void fake_vm_destroy(struct vm *vm);
struct fake *fake_of(struct vm *vm);

/* NULL when init failed; options as in --device NAME,opts. BARs are assigned; COMMAND is IO,
 * memory, bus master. */
struct pci_dev *fake_attach(struct vm *vm, const struct pci_ops *ops, const char *opts);
/* Through the bus, as a vCPU would; the BAR must be mapped. */
uint64_t fake_read(struct pci_dev *dev, int bar, uint64_t off, unsigned len);
void fake_write(struct pci_dev *dev, int bar, uint64_t off, unsigned len, uint64_t val);
/* A port as for a vCPU, with KVM between: what is posted stays in the ring until another access. */
void fake_out(struct vm *vm, uint64_t port, unsigned len, uint64_t val);
uint64_t fake_in(struct vm *vm, uint64_t port, unsigned len);
/* Writes that are in the ring. */
unsigned fake_posted(struct vm *vm);
/* Switch MSI-X on and program vector v with addr 0xfee00000, data 0x4000 + v, unmasked. */
void fake_msix_on(struct pci_dev *dev, unsigned vectors);
/*
 * A disk's file in memory in which no holes can be made (it is sealed against writing): its
 * descriptor, and its path in text. -1 when there is none to be had.
 */
int fake_medium_no_holes(off_t size, char text[64]);
/*
 * From now on what a disk (engine=sync) asks of the host's kernel ends with this: -EIO, -ENOSPC, ...
 * 0: as before.
 */
struct disk;
void fake_disk_error(struct disk *d, int err);

#endif
