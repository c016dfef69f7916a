// SPDX-License-Identifier: MIT
/* A vCPU's thread: enters the guest and answers its exits. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "vmm/kvm/kvm.h"
#include "vmm/platform/ioapic.h"

#define KICK_SIGNAL SIGUSR1

static void on_kick(int sig)
{
	(void)sig; /* only there to interrupt KVM_RUN */
}

static uint64_t load_value(const void *data, unsigned len)
{
	uint64_t v = 0;

	memcpy(&v, data, MIN(len, sizeof(v)));
	return v;
}

static void exit_io(struct vcpu *v)
{
	struct kvm_run *run = v->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	struct bus *pio = &v->vm->pio;

	for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
		if (run->io.direction == KVM_EXIT_IO_OUT) {
			bus_write(pio, run->io.port, run->io.size, load_value(data, run->io.size));
		} else {
			uint64_t val = bus_read(pio, run->io.port, run->io.size);

			memcpy(data, &val, run->io.size);
		}
	}
}

static void exit_mmio(struct vcpu *v)
{
	struct kvm_run *run = v->run;
	uint64_t val;

	if (run->mmio.is_write) {
		bus_write(&v->vm->mmio, run->mmio.phys_addr, run->mmio.len,
			  load_value(run->mmio.data, run->mmio.len));
		return;
	}
	val = bus_read(&v->vm->mmio, run->mmio.phys_addr, run->mmio.len);
	memcpy(run->mmio.data, &val, sizeof(val));
}

#define RESET_RIP 0xfff0

static void dump_registers(void *arg)
{
	struct vcpu *v = arg;
	struct kvm_sregs s;
	struct kvm_regs r;

	if (ioctl(v->fd, KVM_GET_REGS, &r) < 0 || ioctl(v->fd, KVM_GET_SREGS, &s) < 0)
		return;
	if (r.rip == RESET_RIP && !s.cr3) {
		log_error("vCPU %u: its registers are lost: KVM on AMD resets a vCPU that shuts down", v->id);
		return;
	}
	log_error(
		"vCPU %u: rip 0x%llx rsp 0x%llx rflags 0x%llx cr0 0x%llx cr2 0x%llx cr3 0x%llx efer 0x%llx",
		v->id, r.rip, r.rsp, r.rflags, s.cr0, s.cr2, s.cr3, s.efer);
}

static void guest_crashed(struct vcpu *v, const char *what, uint64_t detail)
{
	/* Only the first vCPU that crashes says so; the others are being stopped. */
	if (vm_has_ended(v->vm))
		return;
	log_error("guest: vCPU %u: %s (0x%" PRIx64 ")", v->id, what, detail);
	vm_control(v->vm, dump_registers, v);
	vm_end(v->vm, VM_END_CRASH, 1);
}

static void exit_system_event(struct vcpu *v)
{
	switch (v->run->system_event.type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
		vm_end(v->vm, VM_END_POWEROFF, 0);
		break;
	case KVM_SYSTEM_EVENT_RESET:
		vm_end(v->vm, VM_END_RESET, 0);
		break;
	default:
		guest_crashed(v, "system event", v->run->system_event.type);
	}
}

static void handle_exit(struct vcpu *v)
{
	struct kvm_run *run = v->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		exit_io(v);
		break;
	case KVM_EXIT_MMIO:
		exit_mmio(v);
		break;
	case KVM_EXIT_IOAPIC_EOI:
		ioapic_eoi(kvm_of(v->vm)->ioapic, run->eoi.vector);
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		exit_system_event(v);
		break;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		break;
	case KVM_EXIT_SHUTDOWN:
		guest_crashed(v, "triple fault", 0);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		guest_crashed(v, "KVM could not enter the guest",
			      run->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		guest_crashed(v, "KVM cannot emulate what it did", run->internal.suberror);
		break;
	default:
		guest_crashed(v, "exit of a kind this VMM does not know", run->exit_reason);
	}
}

static void count_exit(struct vcpu *v, uint64_t start_ns)
{
	uint32_t reason = MIN(v->run->exit_reason, STATS_REASONS - 1u);

	stats_count(&v->stats->exits[reason], 1);
	stats_count(&v->stats->handler_ns[reason], clock_ns() - start_ns);
}

static void run_guest(struct vcpu *v)
{
	while (!vm_has_ended(v->vm)) {
		int err = ioctl(v->fd, KVM_RUN, 0) < 0 ? errno : 0;
		uint64_t start_ns;

		if (err == EINTR || err == EAGAIN)
			continue;
		start_ns = clock_ns();
		posted_flush(&v->vm->posted); /* what the guest wrote before */
		if (err)
			guest_crashed(v, strerror(err), (uint64_t)err);
		else
			handle_exit(v);
		count_exit(v, start_ns);
	}
}

/* Wait until vcpus_start wants this vCPU to run; false: never again. */
static bool wait_for_start(struct vcpu *v)
{
	struct kvm *kvm = kvm_of(v->vm);
	bool go;

	pthread_mutex_lock(&kvm->run_lock);
	v->running = false;
	pthread_cond_broadcast(&kvm->run_cond);
	while (!v->running && !kvm->ending)
		pthread_cond_wait(&kvm->run_cond, &kvm->run_lock);
	go = !kvm->ending;
	pthread_mutex_unlock(&kvm->run_lock);
	return go;
}

static void *vcpu_main(void *arg)
{
	struct vcpu *v = arg;
	struct threads *threads = &v->vm->threads;
	char name[16];

	snprintf(name, sizeof(name), "vcpu%u", v->id);
	pthread_setname_np(pthread_self(), name);
	__atomic_store_n(&v->stats->tid, (int32_t)syscall(SYS_gettid), __ATOMIC_RELAXED);
	if (threads->begin)
		threads->begin(threads->arg, THREAD_VCPU);
	while (wait_for_start(v)) {
		if (!v->id && !v->vm->stats->run_ns)
			v->vm->stats->run_ns = clock_ns();
		run_guest(v);
	}
	return NULL;
}

int vcpus_create(struct vm *vm)
{
	struct sigaction sa = {.sa_handler = on_kick};
	struct kvm *kvm = kvm_of(vm);

	sigaction(KICK_SIGNAL, &sa, NULL);
	for (unsigned i = 0; i < vm->n_cpus; i++) {
		struct vcpu *v = &kvm->vcpu[i];
		int err;

		v->running = true; /* until it waits */
		err = pthread_create(&v->thread, NULL, vcpu_main, v);
		if (err) {
			v->running = false;
			log_error("vCPU %u: thread: %s", i, strerror(err));
			return -err;
		}
		v->has_thread = true;
	}
	return 0;
}

/* Under run_lock. */
static bool any_runs(const struct vm *vm, const struct kvm *kvm)
{
	for (unsigned i = 0; i < vm->n_cpus; i++)
		if (kvm->vcpu[i].running)
			return true;
	return false;
}

static void wait_for_all(struct vm *vm)
{
	struct kvm *kvm = kvm_of(vm);

	while (any_runs(vm, kvm))
		pthread_cond_wait(&kvm->run_cond, &kvm->run_lock);
}

void vcpus_start(struct vm *vm)
{
	struct kvm *kvm = kvm_of(vm);

	pthread_mutex_lock(&kvm->run_lock);
	wait_for_all(vm); /* new threads come to wait first */
	for (unsigned i = 0; i < vm->n_cpus; i++) {
		kvm->vcpu[i].run->immediate_exit = 0;
		kvm->vcpu[i].running = true;
	}
	pthread_cond_broadcast(&kvm->run_cond);
	pthread_mutex_unlock(&kvm->run_lock);
}

void vcpus_stop(struct vm *vm)
{
	struct kvm *kvm = kvm_of(vm);

	pthread_mutex_lock(&kvm->run_lock);
	for (unsigned i = 0; i < vm->n_cpus; i++) {
		struct vcpu *v = &kvm->vcpu[i];

		/*
		 * This is set before the signal is sent, so that a vCPU which is about to enter leaves at
		 * once. A vCPU that runs has a thread to signal, because the thread takes this lock to say
		 * that it does not run any more, and ends only after that.
		 */
		__atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_RELEASE);
		if (v->running)
			pthread_kill(v->thread, KICK_SIGNAL);
	}
	wait_for_all(vm);
	pthread_mutex_unlock(&kvm->run_lock);
}

void vcpus_destroy(struct vm *vm)
{
	struct kvm *kvm = kvm_of(vm);

	pthread_mutex_lock(&kvm->run_lock);
	kvm->ending = true;
	pthread_cond_broadcast(&kvm->run_cond);
	pthread_mutex_unlock(&kvm->run_lock);
	for (unsigned i = 0; i < vm->n_cpus; i++)
		if (kvm->vcpu[i].has_thread)
			pthread_join(kvm->vcpu[i].thread, NULL);
}
