// SPDX-License-Identifier: MIT
/* KVM's own counters of this VM, copied into the statistics page. */
#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/kvm/kvm.h"

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

void kvm_stats_text(struct vm *vm, char *buf, size_t size)
{
	struct kvm *kvm = kvm_of(vm);
	size_t used = 0;

	buf[0] = '\0';
	/* Kernels before 5.14 have none: the text stays empty. */
	if (kvm->stats_fd >= 0)
		used = stats_text(kvm->stats_fd, "", buf, size);
	for (unsigned i = 0; i < vm->n_cpus; i++) {
		char prefix[16];

		snprintf(prefix, sizeof(prefix), "vcpu%u/", i);
		/*
		 * Opened early: an ioctl on a vCPU waits until that leaves KVM_RUN, which one that sleeps
		 * never does.
		 */
		if (kvm->vcpu[i].stats_fd >= 0)
			used += stats_text(kvm->vcpu[i].stats_fd, prefix, buf + used, size - used);
	}
}
