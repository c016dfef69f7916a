// SPDX-License-Identifier: MIT
/* QEMU: its q35 machine, with KVM or by binary translation. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "bench/vmms/vmm.h"
#include "bench/host/paths.h"
#include "bench/host/programs.h"

static char *qemu_unusable(void)
{
	char *version = qemu_version(), *why = NULL;

	if (!version)
		why = xasprintf("qemu-system-x86_64 is not installed; run %s", path_setup());
	else if (!file_exists("/dev/kvm"))
		why = xstrdup("no /dev/kvm; use --on=lab, or --vmm=qemu:accel=tcg");
	free(version);
	return why;
}

static bool qemu_uses_kvm(const char *variant)
{
	return strcmp(variant, "accel=tcg");
}

static bool on(const struct knobs *ks, const char *name, bool fallback)
{
	const char *v = knobs_get(ks, name, NULL);

	return v ? !strcmp(v, "on") : fallback;
}

static const struct knob_spelling qemu_spellings[] = {
	{"ring", NULL},	     {"event_idx", "event_idx"}, {"indirect", "indirect_desc"},
	{"queues", NULL},    {"irq", NULL},		 {"ioeventfd", "ioeventfd"},
	{"offload", NULL},   {"mrg_rxbuf", "mrg_rxbuf"}, {"engine", NULL},
	{"cache", NULL},     {NULL, NULL},
};

static int add_virtio_device(const struct vmm_want *w, unsigned queues, struct strlist *a)
{
	const char *irq = knobs_get(w->knobs, "irq", "msix"), *ring = knobs_get(w->knobs, "ring", NULL);
	struct strbuf sb = STRBUF_INIT;
	int err;

	strbuf_addf(&sb, "virtio-net-pci,netdev=n0,mac=%s,disable-legacy=on,romfile=", w->path->wire.mac);
	if (queues > 1)
		strbuf_adds(&sb, ",mq=on");
	if (!strcmp(irq, "intx"))
		strbuf_adds(&sb, ",vectors=0");
	else if (queues > 1)
		strbuf_addf(&sb, ",vectors=%u", 2 * queues + 2);
	if (!on(w->knobs, "offload", true))
		strbuf_adds(&sb, ",csum=off,gso=off,guest_csum=off,guest_tso4=off,guest_tso6=off,guest_ufo=off,"
				 "host_tso4=off,host_tso6=off,host_ufo=off");
	if (ring)
		strbuf_addf(&sb, ",packed=%s", strcmp(ring, "packed") ? "off" : "on");
	err = vmm_spell_knobs(&adapter_qemu, w->knobs, &sb);
	if (!err) {
		strlist_add(a, "-device");
		strlist_add(a, strbuf_str(&sb));
	}
	strbuf_free(&sb);
	return err;
}

static void add_tap(const struct vmm_want *w, unsigned queues, bool vhost, struct strlist *a)
{
	struct strbuf sb = STRBUF_INIT;

	strbuf_addf(&sb, "tap,id=n0,vhost=%s", vhost ? "on" : "off");
	strbuf_adds(&sb, queues > 1 ? ",fds=" : ",fd=");
	for (unsigned i = 0; i < queues; i++)
		strbuf_addf(&sb, "%s%d", i ? ":" : "", w->path->wire.tap_fd[i]);
	strlist_add(a, "-netdev");
	strlist_add(a, strbuf_str(&sb));
	strbuf_free(&sb);
}

static int add_e1000(const struct vmm_want *w, struct strlist *a)
{
	struct strbuf none = STRBUF_INIT;

	if (!on(w->knobs, "offload", true)) {
		log_error("--set offload=off: qemu's e1000 has no such switch; --set tso=off has the guest not use it");
		return -ENOTSUP;
	}
	if (vmm_spell_knobs(&adapter_qemu, w->knobs, &none))
		return -ENOTSUP;
	add_tap(w, 1, false, a);
	strlist_add(a, "-device");
	strlist_addf(a, "e1000,netdev=n0,mac=%s,romfile=", w->path->wire.mac);
	return 0;
}

static void add_vhost_user(const struct vmm_want *w, unsigned queues, struct strlist *a)
{
	strlist_add(a, "-chardev");
	strlist_addf(a, "socket,id=vu,path=%s", w->path->socket);
	strlist_add(a, "-netdev");
	if (queues > 1)
		strlist_addf(a, "vhost-user,id=n0,chardev=vu,queues=%u", queues);
	else
		strlist_add(a, "vhost-user,id=n0,chardev=vu");
}

static int add_virtio_net(const struct vmm_want *w, struct strlist *a)
{
	unsigned queues = (unsigned)knobs_u64(w->knobs, "queues", 1);

	switch (w->path->mode->server) {
	case SERVER_VMM:
	case SERVER_KERNEL:
		add_tap(w, queues, w->path->mode->server == SERVER_KERNEL, a);
		break;
	case SERVER_HELPER:
		add_vhost_user(w, queues, a);
		break;
	default:
		return vmm_refuse_mode(&adapter_qemu, w->path->mode);
	}
	return add_virtio_device(w, queues, a);
}

static bool knob_is(const struct knobs *ks, const char *name, const char *value)
{
	return !strcmp(knobs_get(ks, name, ""), value);
}

/* The medium past the page cache, and what both disks are told. */
static int add_disk(const struct vmm_want *w, const char *device, const char *queues, struct strlist *a)
{
	struct strbuf sb = STRBUF_INIT;
	int err;

	strlist_add(a, "-blockdev");
	strlist_addf(a, "driver=%s,node-name=m0,filename=%s,cache.direct=on,aio=%s",
		     w->path->medium.is_device ? "host_device" : "file", w->path->medium.path,
		     knob_is(w->knobs, "engine", "sync") ? "threads" : "io_uring");
	strbuf_addf(&sb, "%s,drive=m0,%s=%u,write-cache=%s", device, queues,
		    (unsigned)knobs_u64(w->knobs, "queues", 1),
		    knob_is(w->knobs, "cache", "writethrough") ? "off" : "on");
	err = vmm_spell_knobs(&adapter_qemu, w->knobs, &sb);
	if (!err) {
		strlist_add(a, "-device");
		strlist_add(a, strbuf_str(&sb));
	}
	strbuf_free(&sb);
	return err;
}

static int add_virtio_blk(const struct vmm_want *w, struct strlist *a)
{
	struct strbuf sb = STRBUF_INIT;
	int err;

	strlist_add(a, "-object");
	strlist_add(a, "iothread,id=io0");
	strbuf_adds(&sb, "virtio-blk-pci,iothread=io0,disable-legacy=on");
	if (knob_is(w->knobs, "irq", "intx"))
		strbuf_adds(&sb, ",vectors=0");
	if (knob_is(w->knobs, "ring", "packed"))
		strbuf_adds(&sb, ",packed=on");
	err = add_disk(w, strbuf_str(&sb), "num-queues", a);
	strbuf_free(&sb);
	return err;
}

static int add_own_disk(const struct vmm_want *w, struct strlist *a)
{
	if (w->path->mode->server != SERVER_VMM)
		return vmm_refuse_mode(&adapter_qemu, w->path->mode);
	if (w->path->mode->front == FRONT_VIRTIO_BLK)
		return add_virtio_blk(w, a);
	return add_disk(w, "nvme,serial=exitlab", "max_ioqpairs", a);
}

static int add_device(const struct vmm_want *w, struct strlist *a)
{
	switch (w->path->mode->front) {
	case FRONT_NONE:
		return 0;
	case FRONT_E1000:
		return add_e1000(w, a);
	case FRONT_VIRTIO_NET:
		return add_virtio_net(w, a);
	case FRONT_VIRTIO_BLK:
	case FRONT_NVME:
		return add_own_disk(w, a);
	case FRONT_VFIO:
		strlist_add(a, "-device");
		strlist_addf(a, "vfio-pci,host=%s", w->path->sriov.vf_addr);
		return 0;
	default:
		return vmm_refuse_mode(&adapter_qemu, w->path->mode);
	}
}

static void add_machine(const struct vmm_want *w, struct strlist *a)
{
	bool tcg = !qemu_uses_kvm(w->variant);
	const char *irqchip = knobs_get(w->knobs, "irqchip", NULL);
	bool shared = w->path->mode->server == SERVER_HELPER; /* the helper maps the guest's memory */
	struct strbuf machine = STRBUF_INIT;

	strlist_add(a, "-machine");
	strbuf_addf(&machine, "q35,accel=%s", tcg ? "tcg" : "kvm");
	if (irqchip && !tcg)
		strbuf_addf(&machine, ",kernel-irqchip=%s", strcmp(irqchip, "kernel") ? irqchip : "on");
	if (shared)
		strbuf_adds(&machine, ",memory-backend=mem");
	strlist_add(a, strbuf_str(&machine));
	strbuf_free(&machine);
	if (shared) {
		strlist_add(a, "-object");
		strlist_addf(a, "memory-backend-memfd,id=mem,share=on,size=%lluM",
			    (unsigned long long)(w->mem_bytes / MIB));
	}
	strlist_add(a, "-cpu");
	strlist_add(a, tcg ? "max" : "host");
	strlist_add(a, "-smp");
	strlist_addf(a, "%u", w->cpus);
	strlist_add(a, "-m");
	strlist_addf(a, "%llu", (unsigned long long)(w->mem_bytes / MIB));
}

static int qemu_command(const struct vmm_want *w, struct strlist *a)
{
	bool vmlinux = !strcmp(knobs_get(w->knobs, "kernel", "bzimage"), "vmlinux");

	if (*w->variant && qemu_uses_kvm(w->variant)) {
		log_error("--vmm=qemu:%s: the one variant is qemu:accel=tcg", w->variant);
		return -ENOTSUP;
	}
	strlist_add(a, w->program);
	strlist_add(a, "-nodefaults");
	strlist_add(a, "-no-user-config");
	strlist_add(a, "-no-reboot");
	strlist_add(a, "-name");
	strlist_add(a, "exitlab,debug-threads=on"); /* so that its vCPU threads can be told from the others */
	strlist_add(a, "-display");
	strlist_add(a, "none");
	add_machine(w, a);
	strlist_add(a, "-serial");
	strlist_addf(a, "file:%s", w->console_path);
	strlist_add(a, "-chardev");
	strlist_addf(a, "socket,id=agent,fd=%d", w->agent_fd);
	strlist_add(a, "-serial");
	strlist_add(a, "chardev:agent");
	strlist_add(a, "-device");
	strlist_add(a, "isa-debug-exit,iobase=0xf4,iosize=4");
	/* For the probes, which ask after the window what its registers are called. */
	strlist_add(a, "-chardev");
	strlist_addf(a, "socket,id=qmp,path=exitlab-qmp-%d-%d,abstract=on,server=on,wait=off", getpid(),
		    w->stats_fd); /* one for each VM of a sample */
	strlist_add(a, "-mon");
	strlist_add(a, "chardev=qmp,mode=control");
	strlist_add(a, "-kernel");
	if (w->micro)
		strlist_add(a, w->kernel);
	else
		strlist_addf(a, "%s/%s", w->kernel, vmlinux ? "vmlinux" : "vmlinuz");
	if (w->initrd) {
		strlist_add(a, "-initrd");
		strlist_add(a, w->initrd);
	}
	strlist_add(a, "-append");
	strlist_add(a, w->cmdline);
	return add_device(w, a);
}

/* Its firmware it finds in directories of its own. */
static const char *const qemu_carry[] = {
	"/usr/bin/qemu-system-x86_64",
	"/usr/share/seabios/bios-256k.bin",
	"/usr/share/qemu/kvmvapic.bin",
	"/usr/share/qemu/linuxboot_dma.bin",
	"/usr/share/qemu/pvh.bin",
	"/usr/share/qemu/bios-256k.bin",
	"/usr/share/qemu/multiboot_dma.bin",
	NULL,
};

const struct vmm_adapter adapter_qemu = {
	.name = "qemu",
	.summary = "QEMU's q35; qemu:accel=tcg is the binary-translation row",
	.vcpu_thread = "CPU ",
	.spellings = qemu_spellings,
	.carry = qemu_carry,
	.program = qemu_program,
	.unusable = qemu_unusable,
	.uses_kvm = qemu_uses_kvm,
	.command = qemu_command,
};
