// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/core/evloop.h"
#include "vmm/core/machine.h"

int vm_create(struct vm **out, const struct vm_opts *opts, const struct vm_backend *backend)
{
	struct vm *vm = calloc(1, sizeof(*vm));
	int err;

	if (!vm)
		return -ENOMEM;
	vm->backend = backend;
	vm->n_cpus = opts->n_cpus;
	vm->may_reboot = opts->may_reboot;
	bus_init(&vm->pio, "port");
	bus_init(&vm->mmio, "memory-mapped");
	posted_init(&vm->posted);
	pthread_mutex_init(&vm->lock, NULL);
	pthread_mutex_init(&vm->end_lock, NULL);
	vm->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vm->end_fd < 0)
		err = -errno;
	else
		err = stats_create(&vm->stats, opts->stats_fd, opts->n_cpus);
	if (!err)
		err = evloop_create(&vm->control, &vm->threads, THREAD_CONTROL, "control");
	if (!err && opts->shared_memory)
		err = gmem_create(&vm->gm, opts->mem_bytes);
	else if (!err)
		err = gmem_create_private(&vm->gm, opts->mem_bytes);
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
	evloop_destroy(vm->control);
	gmem_destroy(vm->gm);
	stats_destroy(vm->stats);
	close_fd(&vm->end_fd);
	pthread_mutex_destroy(&vm->end_lock);
	pthread_mutex_destroy(&vm->lock);
	posted_destroy(&vm->posted);
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

struct threads *vm_threads(struct vm *vm)
{
	return &vm->threads;
}

void vm_control(struct vm *vm, void (*fn)(void *arg), void *arg)
{
	evloop_call(vm->control, fn, arg);
}

int vm_map(struct vm *vm, bool pio, uint64_t base, uint64_t len, const struct bus_ops *ops,
	   void *dev)
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
static int take_entry(struct vm *vm, bool *used, int n)
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
	int slot = take_entry(vm, vm->slot_used, VM_SLOTS), err;

	if (slot < 0)
		return slot;
	err = vm->backend->memslot(vm, (unsigned)slot, gpa, size, hva);
	if (err)
		give_back(vm, vm->slot_used, slot);
	if (err)
		return err;
	return slot;
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
		gsi = take_entry(vm, vm->route_used, VM_GSI_ROUTES);
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
	if (why == VM_END_RESET && vm->panicked) {
		why = VM_END_CRASH;
		status = 1;
	}
	if (first) {
		vm->end_why = why;
		vm->end_status = status;
		__atomic_store_n(&vm->ended, true, __ATOMIC_RELEASE);
		if (write(vm->end_fd, &(uint64_t){1}, 8) < 0)
			log_error("end of the run: %s", strerror(errno));
	}
	pthread_mutex_unlock(&vm->end_lock);
}

void vm_note_panic(struct vm *vm)
{
	bool again;

	pthread_mutex_lock(&vm->end_lock);
	again = vm->panicked;
	vm->panicked = true;
	pthread_mutex_unlock(&vm->end_lock);
	if (again)
		vm_end(vm, VM_END_CRASH, 1);
	else
		log_error("guest: its kernel panicked; its console says why");
}

bool vm_has_ended(struct vm *vm)
{
	return __atomic_load_n(&vm->ended, __ATOMIC_ACQUIRE);
}

void vm_clear_end(struct vm *vm)
{
	uint64_t n;

	if (read(vm->end_fd, &n, sizeof(n)) < 0)
		log_error("start after a reset: %s", strerror(errno));
	__atomic_store_n(&vm->ended, false, __ATOMIC_RELEASE);
}
