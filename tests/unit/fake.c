// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/fake.h"
#include "vmm/block/disk_priv.h"
#include "vmm/pci/regs.h"

struct fake *fake_of(struct vm *vm)
{
	return vm->backend_data;
}

static int fake_vm_fd(struct vm *vm)
{
	(void)vm;
	return -1;
}

static int fake_ioeventfd(struct vm *vm, const struct ioeventfd *io, bool add)
{
	struct fake *f = fake_of(vm);

	if (add) {
		if (f->fail_ioeventfd || f->n_ioeventfd == FAKE_LOG)
			return f->fail_ioeventfd ? f->fail_ioeventfd : -ENOSPC;
		f->ioeventfd[f->n_ioeventfd++] = *io;
		return 0;
	}
	for (unsigned i = 0; i < f->n_ioeventfd; i++) {
		struct ioeventfd *have = &f->ioeventfd[i];

		if (have->addr == io->addr && have->fd == io->fd && have->value == io->value) {
			*have = f->ioeventfd[--f->n_ioeventfd];
			return 0;
		}
	}
	return -ENOENT;
}

static int fake_post_ports(struct vm *vm, uint64_t addr, uint64_t len, bool add)
{
	struct fake *f = fake_of(vm);

	if (add) {
		if (f->n_posted == FAKE_LOG)
			return -ENOSPC;
		f->posted[f->n_posted].addr = addr;
		f->posted[f->n_posted++].len = len;
		return 0;
	}
	for (unsigned i = 0; i < f->n_posted; i++) {
		if (f->posted[i].addr == addr && f->posted[i].len == len) {
			f->posted[i] = f->posted[--f->n_posted];
			return 0;
		}
	}
	return -ENOENT;
}

static int fake_memslot(struct vm *vm, unsigned slot, gpa_t gpa, uint64_t size, void *hva)
{
	struct fake *f = fake_of(vm);

	f->slot[slot].gpa = gpa;
	f->slot[slot].size = size;
	f->slot[slot].hva = hva;
	return 0;
}

static void fake_irq_line(struct vm *vm, unsigned gsi, bool level)
{
	struct fake *f = fake_of(vm);

	f->line[gsi] = level;
	f->n_line_changes++;
}

static int fake_msi_send(struct vm *vm, uint64_t addr, uint32_t data)
{
	struct fake *f = fake_of(vm);
	unsigned n = __atomic_fetch_add(&f->n_msi, 1, __ATOMIC_RELAXED);

	f->msi[n % FAKE_LOG].addr = addr;
	f->msi[n % FAKE_LOG].data = data;
	return 0;
}

static int fake_msi_route(struct vm *vm, int gsi, uint64_t addr, uint32_t data)
{
	struct fake *f = fake_of(vm);

	f->n_route_changes++;
	f->route[gsi].addr = addr;
	f->route[gsi].data = data;
	return 0;
}

static int fake_irqfd(struct vm *vm, int fd, int gsi, int resample_fd, bool add)
{
	struct fake *f = fake_of(vm);

	(void)resample_fd;
	if (add) {
		if (f->fail_irqfd || f->n_irqfd == FAKE_LOG)
			return f->fail_irqfd ? f->fail_irqfd : -ENOSPC;
		f->irqfd[f->n_irqfd].fd = fd;
		f->irqfd[f->n_irqfd++].gsi = gsi;
		return 0;
	}
	for (unsigned i = 0; i < f->n_irqfd; i++) {
		if (f->irqfd[i].fd == fd) {
			f->irqfd[i] = f->irqfd[--f->n_irqfd];
			return 0;
		}
	}
	return -ENOENT;
}

static void fake_stats_text(struct vm *vm, char *buf, size_t size)
{
	struct fake *f = fake_of(vm);

	snprintf(buf, size, "reads %u\n", ++f->n_stats_reads);
}

static int fake_this_vcpu(struct vm *vm)
{
	return fake_of(vm)->this_vcpu;
}

static const struct vm_backend fake_backend = {
	.this_vcpu = fake_this_vcpu,
	.vm_fd = fake_vm_fd,
	.ioeventfd = fake_ioeventfd,
	.post_ports = fake_post_ports,
	.memslot = fake_memslot,
	.irq_line = fake_irq_line,
	.msi_send = fake_msi_send,
	.msi_route = fake_msi_route,
	.irqfd = fake_irqfd,
	.stats_text = fake_stats_text,
};

struct vm *fake_vm_create(uint64_t mem_bytes)
{
	struct fake *f = calloc(1, sizeof(*f));
	const struct vm_opts opts = {
		.mem_bytes = mem_bytes, .n_cpus = 1, .stats_fd = -1, .shared_memory = true};
	struct vm *vm;

	if (!f || vm_create(&vm, &opts, &fake_backend)) {
		free(f);
		return NULL;
	}
	f->this_vcpu = -1;
	vm->backend_data = f;
	posted_set_ring(&vm->posted, f->ring, sizeof(f->ring));
	if (threads_start(&vm->threads) || pci_core_create(&vm->pci, vm)) {
		fake_vm_destroy(vm);
		return NULL;
	}
	return vm;
}

void fake_vm_destroy(struct vm *vm)
{
	struct fake *f = fake_of(vm);

	/* Devices still talk to the recorder while they go. */
	pci_core_destroy(vm->pci);
	vm_destroy(vm);
	free(f);
}

struct pci_dev *fake_attach(struct vm *vm, const struct pci_ops *ops, const char *text)
{
	struct pci_dev *dev = NULL;
	struct dev_opts *opts;

	if (dev_opts_parse(&opts, text))
		return NULL;
	if (!pci_attach(vm->pci, ops, opts, &dev))
		pci_cfg_write(dev, PCI_COMMAND, 2,
			      PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	dev_opts_free(opts);
	return dev;
}

static struct bus *bar_bus(struct pci_dev *dev, int bar)
{
	return dev->bar[bar].kind == PCI_BAR_IO ? &dev->vm->pio : &dev->vm->mmio;
}

uint64_t fake_read(struct pci_dev *dev, int bar, uint64_t off, unsigned len)
{
	return bus_read(bar_bus(dev, bar), dev->bar[bar].base + off, len);
}

void fake_write(struct pci_dev *dev, int bar, uint64_t off, unsigned len, uint64_t val)
{
	bus_write(bar_bus(dev, bar), dev->bar[bar].base + off, len, val);
}

static bool fake_port_posted(const struct fake *f, uint64_t port, unsigned len)
{
	for (unsigned i = 0; i < f->n_posted; i++)
		if (port >= f->posted[i].addr && range_ok(port - f->posted[i].addr, len, f->posted[i].len))
			return true;
	return false;
}

unsigned fake_posted(struct vm *vm)
{
	const struct kvm_coalesced_mmio_ring *r = vm->posted.ring;

	return (r->last + vm->posted.slots - __atomic_load_n(&r->first, __ATOMIC_ACQUIRE)) % vm->posted.slots;
}

/* As KVM's coalesced_mmio_write does it: one slot stays free. */
static bool fake_ring_take(struct vm *vm, uint64_t port, unsigned len, uint64_t val)
{
	struct kvm_coalesced_mmio_ring *r = vm->posted.ring;
	struct kvm_coalesced_mmio *e = &r->coalesced_mmio[r->last];

	if (!fake_port_posted(fake_of(vm), port, len) || fake_posted(vm) == vm->posted.slots - 1)
		return false;
	e->phys_addr = port;
	e->len = len;
	e->pio = 1;
	memcpy(e->data, &val, sizeof(val));
	__atomic_store_n(&r->last, (r->last + 1) % vm->posted.slots, __ATOMIC_RELEASE);
	return true;
}

void fake_out(struct vm *vm, uint64_t port, unsigned len, uint64_t val)
{
	if (fake_ring_take(vm, port, len, val))
		return;
	posted_flush(&vm->posted);
	bus_write(&vm->pio, port, len, val);
}

uint64_t fake_in(struct vm *vm, uint64_t port, unsigned len)
{
	posted_flush(&vm->posted);
	return bus_read(&vm->pio, port, len);
}

void fake_msix_on(struct pci_dev *dev, unsigned vectors)
{
	pci_cfg_write(dev, dev->msix_cap + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
	for (unsigned v = 0; v < vectors; v++) {
		uint64_t entry = dev->msix_table + v * 16;

		fake_write(dev, dev->msix_bar, entry, 4, 0xfee00000);
		fake_write(dev, dev->msix_bar, entry + 4, 4, 0);
		fake_write(dev, dev->msix_bar, entry + 8, 4, 0x4000 + v);
		fake_write(dev, dev->msix_bar, entry + 12, 4, 0);
	}
}

int fake_medium_no_holes(off_t size, char text[64])
{
	int fd = memfd_create("no-holes", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 && (ftruncate(fd, size) || fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE)))
		close_fd(&fd);
	snprintf(text, 64, "/proc/self/fd/%d", fd);
	return fd;
}

static int disk_error;

static void failing_start(struct disk_queue *q, struct disk_req *req)
{
	disk_ended(q, req, disk_error);
}

void fake_disk_error(struct disk *d, int err)
{
	static struct disk_engine failing;

	failing = disk_engine_sync;
	failing.start = failing_start;
	disk_error = err;
	d->engine = err ? &failing : &disk_engine_sync;
}
