// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "vmm/core/kvm.h"
#include "workloads/protocol.h"

#define MAX_STATS 512

/* One object's binary statistics (Documentation/virt/kvm/api.rst, KVM_GET_STATS_FD) as "PREFIXname
 * value\n". */
static size_t stats_text(int fd, const char *prefix, char *buf, size_t size)
{
	struct kvm_stats_header h;
	size_t desc_size, used = 0;
	char *desc;

	if (pread(fd, &h, sizeof(h), 0) != sizeof(h) || h.num_desc > MAX_STATS || h.name_size > 256)
		return 0;
	desc_size = sizeof(struct kvm_stats_desc) + h.name_size;
	desc = malloc(desc_size * h.num_desc);
	if (!desc || pread(fd, desc, desc_size * h.num_desc, h.desc_offset) < 0) {
		free(desc);
		return 0;
	}
	for (uint32_t i = 0; i < h.num_desc; i++) {
		const struct kvm_stats_desc *d = (void *)(desc + i * desc_size);
		uint64_t value;
		int n;

		/* Histograms are not for this page. */
		if (d->size != 1 || pread(fd, &value, sizeof(value), h.data_offset + d->offset) < 0)
			continue;
		n = snprintf(buf + used, size - used, "%s%.*s %llu\n", prefix, (int)h.name_size,
			     d->name, (unsigned long long)value);
		if ((size_t)n >= size - used)
			break;
		used += (size_t)n;
	}
	free(desc);
	buf[used] = '\0';
	return used;
}

void window_kvm_stats(struct vm *vm, char *buf, size_t size)
{
	struct kvm *kvm = kvm_of(vm);
	int fd = ioctl(kvm->vm_fd, KVM_GET_STATS_FD, NULL);
	size_t used = 0;

	buf[0] = '\0';
	/* Kernels before 5.14 have none: the text stays empty. */
	if (fd >= 0)
		used = stats_text(fd, "", buf, size);
	close_fd(&fd);
	for (unsigned i = 0; i < vm->n_cpus; i++) {
		char prefix[16];

		snprintf(prefix, sizeof(prefix), "vcpu%u/", i);
		fd = ioctl(kvm->vcpu[i].fd, KVM_GET_STATS_FD, NULL);
		if (fd >= 0)
			used += stats_text(fd, prefix, buf + used, size - used);
		close_fd(&fd);
	}
}

static void window_open(struct vm *vm)
{
	struct stats_page *p = vm->stats;

	/* The window begins when all this is done. */
	window_kvm_stats(vm, p->kvm_open, sizeof(p->kvm_open));
	memcpy(&p->at_open, &p->now, sizeof(p->at_open));
	/* This very exit is counted after its handler: leave it out of the window by hand. */
	for (unsigned i = 0; i < vm->n_cpus; i++)
		if (p->now.vcpu[i].tid == gettid())
			p->at_open.vcpu[i].exits[KVM_EXIT_IO]++;
	__atomic_store_n(&p->open_ns, clock_ns(), __ATOMIC_RELEASE);
}

static void window_close(struct vm *vm)
{
	struct stats_page *p = vm->stats;
	uint64_t now = clock_ns();

	memcpy(&p->at_close, &p->now, sizeof(p->at_close));
	window_kvm_stats(vm, p->kvm_close, sizeof(p->kvm_close));
	__atomic_store_n(&p->close_ns, now, __ATOMIC_RELEASE);
}

static void marker_write(void *arg, uint64_t off, unsigned len, uint64_t val)
{
	struct vm *vm = arg;

	if (off || len != 4)
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
	vm_stats_region(vm, "marker", true, MARKER_PORT, 4);
	return vm_map(vm, true, MARKER_PORT, 4, &marker_ops, vm);
}
