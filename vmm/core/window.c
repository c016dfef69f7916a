// SPDX-License-Identifier: MIT
/* What happens at the guest's markers: the counters are copied where the window opens and closes. */
#include <linux/kvm.h>

#include "base/clock.h"
#include "vmm/core/machine.h"
#include "workloads/protocol.h"

/* Word by word, as the other threads go on counting. */
static void copy_counters(struct stats_counters *to, const struct stats_counters *from)
{
	const uint64_t *src = (const uint64_t *)from;
	uint64_t *dst = (uint64_t *)to;

	_Static_assert(sizeof(*to) % sizeof(*dst) == 0, "words");
	for (size_t i = 0; i < sizeof(*to) / sizeof(*dst); i++)
		dst[i] = __atomic_load_n(&src[i], __ATOMIC_RELAXED);
}

static void window_open(struct vm *vm)
{
	struct stats_page *p = vm->stats;
	int vcpu = vm->backend->this_vcpu(vm);

	/* The window begins when all this is done. */
	vm->backend->stats_text(vm, p->kvm_open, sizeof(p->kvm_open));
	copy_counters(&p->at_open, &p->now);
	/* The exit that opens the window is counted after its handler: it is taken out here. */
	if (vcpu >= 0)
		p->at_open.vcpu[vcpu].exits[KVM_EXIT_IO]++;
	__atomic_store_n(&p->open_ns, clock_ns(), __ATOMIC_RELEASE);
}

static void window_close(struct vm *vm)
{
	struct stats_page *p = vm->stats;
	uint64_t now = clock_ns();

	copy_counters(&p->at_close, &p->now);
	vm->backend->stats_text(vm, p->kvm_close, sizeof(p->kvm_close));
	p->closed_ns = clock_ns();
	__atomic_store_n(&p->close_ns, now, __ATOMIC_RELEASE);
}

static void marker_write(void *arg, uint64_t off, unsigned len, uint64_t val)
{
	struct vm *vm = arg;

	if (off || len != 1)
		return;
	switch (val) {
	case MARKER_VALUE(MARKER_BOOTED):
		if (!vm->stats->booted_ns)
			__atomic_store_n(&vm->stats->booted_ns, clock_ns(), __ATOMIC_RELEASE);
		break;
	case MARKER_VALUE(MARKER_OPEN):
		window_open(vm);
		break;
	case MARKER_VALUE(MARKER_CLOSE):
		window_close(vm);
		break;
	}
}

static const struct bus_ops marker_ops = {"marker", NULL, marker_write};

int window_init(struct vm *vm)
{
	vm_stats_region(vm, "marker", true, MARKER_PORT, 1);
	return vm_map(vm, true, MARKER_PORT, 1, &marker_ops, vm);
}

void window_finish(struct vm *vm)
{
	vm->backend->stats_text(vm, vm->stats->kvm_exit, sizeof(vm->stats->kvm_exit));
}
