// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "vmm/core/machine.h"
#include "vmm/pci/core.h"

int vm_create(struct vm **out, uint64_t mem_bytes, unsigned n_cpus, int stats_fd,
	      const struct vm_backend *backend)
{
	struct vm *vm = calloc(1, sizeof(*vm));
	int err;

	if (!vm)
		return -ENOMEM;
	vm->backend = backend;
	vm->n_cpus = n_cpus;
	bus_init(&vm->pio, "port");
	bus_init(&vm->mmio, "memory-mapped");
	pthread_mutex_init(&vm->lock, NULL);
	pthread_mutex_init(&vm->end_lock, NULL);
	pthread_cond_init(&vm->end_cond, NULL);
	err = stats_create(&vm->stats, stats_fd, n_cpus);
	if (!err)
		err = gmem_create(&vm->gm, mem_bytes);
	if (!err)
		err = pci_core_create(&vm->pci, vm);
	if (err) {
		vm_destroy(vm);
		return err;
	}
	*out = vm;
	return 0;
}

void vm_destroy(struct vm *vm)
{
	if (!vm)
		return;
	pci_core_destroy(vm->pci);
	gmem_destroy(vm->gm);
	stats_destroy(vm->stats);
	pthread_cond_destroy(&vm->end_cond);
	pthread_mutex_destroy(&vm->end_lock);
	pthread_mutex_destroy(&vm->lock);
	bus_destroy(&vm->mmio);
	bus_destroy(&vm->pio);
	free(vm);
}

struct gmem *vm_gmem(struct vm *vm)
{
	return vm->gm;
}

int vm_kvm_fd(struct vm *vm)
{
	return vm->backend->vm_fd(vm);
}

int vm_map(struct vm *vm, bool pio, uint64_t base, uint64_t len, const struct bus_ops *ops, void *dev)
{
	return bus_map(pio ? &vm->pio : &vm->mmio, base, len, ops, dev);
}

void vm_unmap(struct vm *vm, bool pio, uint64_t base, const void *dev)
{
	bus_unmap(pio ? &vm->pio : &vm->mmio, base, dev);
}

int vm_ioeventfd(struct vm *vm, const struct ioeventfd *io, bool add)
{
	return vm->backend->ioeventfd(vm, io, add);
}

/* First free entry of used[], now taken, or -ENOSPC. */
static int take(struct vm *vm, bool *used, int n)
{
	int found = -ENOSPC;

	pthread_mutex_lock(&vm->lock);
	for (int i = 0; i < n && found < 0; i++) {
		if (!used[i]) {
			used[i] = true;
			found = i;
		}
	}
	pthread_mutex_unlock(&vm->lock);
	return found;
}

static void give_back(struct vm *vm, bool *used, int i)
{
	pthread_mutex_lock(&vm->lock);
	used[i] = false;
	pthread_mutex_unlock(&vm->lock);
}

int vm_memslot_add(struct vm *vm, gpa_t gpa, uint64_t size, void *hva)
{
	int slot = take(vm, vm->slot_used, VM_SLOTS), err;

	if (slot < 0)
		return slot;
	err = vm->backend->memslot(vm, (unsigned)slot, gpa, size, hva);
	if (err)
		give_back(vm, vm->slot_used, slot);
	return err ? err : slot;
}

void vm_memslot_del(struct vm *vm, int slot)
{
	if (slot < 0)
		return;
	vm->backend->memslot(vm, (unsigned)slot, 0, 0, NULL);
	give_back(vm, vm->slot_used, slot);
}

void vm_irq_line(struct vm *vm, unsigned gsi, bool level)
{
	vm->backend->irq_line(vm, gsi, level);
}

int vm_msi_send(struct vm *vm, uint64_t addr, uint32_t data)
{
	return vm->backend->msi_send(vm, addr, data);
}

int vm_msi_route(struct vm *vm, int *route, uint64_t addr, uint32_t data)
{
	int gsi = *route, err;

	if (gsi < 0) {
		gsi = take(vm, vm->route_used, VM_GSI_ROUTES);
		if (gsi < 0)
			return gsi;
		gsi += VM_GSI_FIRST;
	}
	err = vm->backend->msi_route(vm, gsi, addr, data);
	if (err && *route < 0)
		give_back(vm, vm->route_used, gsi - VM_GSI_FIRST);
	else
		*route = gsi;
	return err;
}

void vm_msi_unroute(struct vm *vm, int route)
{
	if (route < VM_GSI_FIRST)
		return;
	vm->backend->msi_route(vm, route, 0, 0);
	give_back(vm, vm->route_used, route - VM_GSI_FIRST);
}

int vm_irqfd(struct vm *vm, int fd, int gsi, int resample_fd, bool add)
{
	return vm->backend->irqfd(vm, fd, gsi, resample_fd, add);
}

void vm_end(struct vm *vm, enum vm_end why, int status)
{
	bool first;

	pthread_mutex_lock(&vm->end_lock);
	first = !vm->ended;
	if (first) {
		vm->end_why = why;
		vm->end_status = status;
		__atomic_store_n(&vm->ended, true, __ATOMIC_RELEASE);
		pthread_cond_broadcast(&vm->end_cond);
	}
	pthread_mutex_unlock(&vm->end_lock);
	if (first && vm->on_end)
		vm->on_end(vm);
}

bool vm_has_ended(struct vm *vm)
{
	return __atomic_load_n(&vm->ended, __ATOMIC_ACQUIRE);
}

enum vm_end vm_wait_end(struct vm *vm, int *status)
{
	enum vm_end why;

	pthread_mutex_lock(&vm->end_lock);
	while (!vm->ended)
		pthread_cond_wait(&vm->end_cond, &vm->end_lock);
	why = vm->end_why;
	*status = vm->end_status;
	pthread_mutex_unlock(&vm->end_lock);
	return why;
}

void vm_clear_end(struct vm *vm)
{
	__atomic_store_n(&vm->ended, false, __ATOMIC_RELEASE);
}
