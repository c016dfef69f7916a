/* SPDX-License-Identifier: MIT */
/* What the adapters of QEMU's machines share: its command line but for the machine's own devices. */
#ifndef BENCH_VMMS_QEMU_ARGS_H
#define BENCH_VMMS_QEMU_ARGS_H

#include "bench/vmms/vmm.h"

/* What each of its machines loads to boot a kernel, beside the machine's own firmware. */
#define QEMU_CARRY                                                                                \
	"/usr/bin/qemu-system-x86_64", "/usr/share/qemu/linuxboot_dma.bin", "/usr/share/qemu/pvh.bin", \
		"/usr/share/qemu/multiboot_dma.bin"

extern const struct knob_spelling qemu_spellings[];

/*
 * Program, machine (its name and own options), processors, memory, the console as first serial port, a
 * monitor for the probes, and the chardev "agent" for the port of the agent.
 */
void qemu_add_machine(const struct vmm_want *w, const char *machine, bool tcg, struct strlist *a);
void qemu_add_kernel(const struct vmm_want *w, struct strlist *a);
/* The netdev n0. */
void qemu_add_tap(const struct vmm_want *w, unsigned queues, bool vhost, struct strlist *a);
/* On the transport that the cell has. -ENOTSUP (logged) for a server or a switch that QEMU has not. */
int qemu_add_virtio_net(const struct vmm_want *w, const struct vmm_adapter *vmm, struct strlist *a);
/* The medium m0: virtio-blk on the transport that the cell has, or NVMe. -ENOTSUP (logged) likewise. */
int qemu_add_disk(const struct vmm_want *w, const struct vmm_adapter *vmm, struct strlist *a);

#endif
