// SPDX-License-Identifier: MIT
/* QEMU's microvm: a machine without a PC's old devices, and without PCI unless that is asked for. */
#include <errno.h>

#include "base/log.h"
#include "bench/host/programs.h"
#include "bench/vmms/qemu_args.h"

static int microvm_add_device(const struct vmm_want *w, struct strlist *a)
{
	switch (w->path->mode->front) {
	case FRONT_NONE:
		return 0;
	case FRONT_VIRTIO_NET:
		return qemu_add_virtio_net(w, &adapter_microvm, a);
	case FRONT_VIRTIO_BLK:
	case FRONT_VIRTIO_SCSI:
		return qemu_add_disk(w, &adapter_microvm, a);
	default:
		return vmm_refuse_mode(&adapter_microvm, w->path->mode);
	}
}

static int microvm_command(const struct vmm_want *w, struct strlist *a)
{
	bool mmio = vmm_uses_mmio(&adapter_microvm, w->knobs);

	if (vmm_refuse_variant(&adapter_microvm, w))
		return -ENOTSUP;
	qemu_add_machine(w, mmio ? "microvm" : "microvm,pcie=on", false, a);
	/* It makes one serial port by itself. */
	strlist_add(a, "-device");
	strlist_add(a, "isa-serial,chardev=agent,iobase=0x2f8,irq=3,index=1");
	qemu_add_kernel(w, a);
	return microvm_add_device(w, a);
}

static const char *const microvm_carry[] = {
	QEMU_CARRY,
	"/usr/share/seabios/bios-microvm.bin",
	"/usr/share/qemu/bios-microvm.bin",
	NULL,
};

const struct vmm_adapter adapter_microvm = {
	.name = "microvm",
	.summary = "QEMU's microvm: virtio-mmio; --set transport=pci gives it a PCIe bus",
	.vcpu_thread = "CPU ",
	.transports = "mmio|pci",
	.spellings = qemu_spellings,
	.lacks = "VFIO, e1000, nvme, ide: its machine has no PCI of old",
	.carry = microvm_carry,
	.program = qemu_program,
	.version_word = "--version",
	.get = "run ./setup.sh",
	.command = microvm_command,
};
