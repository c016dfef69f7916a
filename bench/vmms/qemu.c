// SPDX-License-Identifier: MIT
/* QEMU: its q35 machine, with KVM or by binary translation. */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "bench/vmms/qemu_args.h"
#include "bench/host/programs.h"

static bool qemu_uses_kvm(const char *variant)
{
	return strcmp(variant, "accel=tcg");
}

static int add_e1000(const struct vmm_want *w, struct strlist *a)
{
	struct strbuf none = STRBUF_INIT;

	if (!knobs_on(w->knobs, "offload", true)) {
		log_error("--set offload=off: qemu's e1000 has no such switch; --set tso=off has the guest not use it");
		return -ENOTSUP;
	}
	if (vmm_spell_knobs(&adapter_qemu, w, &none))
		return -ENOTSUP;
	qemu_add_tap(w, 1, false, a);
	strlist_add(a, "-device");
	strlist_addf(a, "e1000,netdev=n0,mac=%s,romfile=", w->path->wire.mac);
	return 0;
}

static int add_xen_net(const struct vmm_want *w, struct strlist *a)
{
	qemu_add_tap(w, 1, false, a);
	strlist_add(a, "-device");
	strlist_addf(a, "xen-net-device,netdev=n0,mac=%s", w->path->wire.mac);
	return 0;
}

static int add_device(const struct vmm_want *w, struct strlist *a)
{
	const struct mode *mode = w->path->mode;

	if (mode_is_xen(mode) && !qemu_uses_kvm(w->variant)) {
		log_error("--vmm=qemu:%s: mode %s needs KVM, which takes the hypercalls", w->variant, mode->name);
		return -ENOTSUP;
	}
	switch (mode->front) {
	case FRONT_NONE:
		return 0;
	case FRONT_E1000:
		return add_e1000(w, a);
	case FRONT_XEN_NET:
		return add_xen_net(w, a);
	case FRONT_VIRTIO_NET:
		return qemu_add_virtio_net(w, &adapter_qemu, a);
	case FRONT_VIRTIO_BLK:
	case FRONT_NVME:
	case FRONT_IDE:
	case FRONT_VIRTIO_SCSI:
	case FRONT_XEN_BLK:
		return qemu_add_disk(w, &adapter_qemu, a);
	case FRONT_VFIO:
		strlist_add(a, "-device");
		strlist_addf(a, "vfio-pci,host=%s", w->path->sriov.vf_addr);
		return 0;
	default:
		return vmm_refuse_mode(&adapter_qemu, mode);
	}
}

static int qemu_command(const struct vmm_want *w, struct strlist *a)
{
	bool tcg = !qemu_uses_kvm(w->variant);

	if (*w->variant && !tcg) {
		log_error("--vmm=qemu:%s: the one variant is qemu:accel=tcg", w->variant);
		return -ENOTSUP;
	}
	qemu_add_machine(w, "q35", tcg, a);
	strlist_add(a, "-serial");
	strlist_add(a, "chardev:agent");
	qemu_add_kernel(w, a);
	return add_device(w, a);
}

/* Its firmware it finds in directories of its own. */
static const char *const qemu_carry[] = {
	QEMU_CARRY,
	"/usr/share/seabios/bios-256k.bin",
	"/usr/share/qemu/bios-256k.bin",
	"/usr/share/qemu/kvmvapic.bin",
	NULL,
};

const struct vmm_adapter adapter_qemu = {
	.name = "qemu",
	.summary = "QEMU's q35; qemu:accel=tcg is the binary-translation row",
	.vcpu_thread = "CPU ",
	.lacks = "virtio-mmio, which microvm has",
	.spellings = qemu_spellings,
	.carry = qemu_carry,
	.program = qemu_program,
	.version_word = "--version",
	.get = "run ./setup.sh",
	.uses_kvm = qemu_uses_kvm,
	.command = qemu_command,
};
