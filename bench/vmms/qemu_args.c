// SPDX-License-Identifier: MIT
#include "bench/vmms/qemu_args.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/strbuf.h"

static void add_memory(const struct vmm_want *w, bool shared, struct strlist *a)
{
	unsigned long long mib = w->mem_bytes / MIB;

	if (shared) {
		strlist_add(a, "-object");
		strlist_addf(a, "memory-backend-memfd,id=mem,share=on,size=%lluM", mib);
	}
	strlist_add(a, "-m");
	strlist_addf(a, "%llu", mib);
}

/* An option of its own: -machine takes no properties of it. QEMU wants the IOAPIC for itself. */
static void add_xen_accel(struct strlist *a)
{
	strlist_add(a, "-accel");
	strlist_add(a, "kvm,xen-version=0x40011,kernel-irqchip=split");
}

static void add_cpus_and_memory(const struct vmm_want *w, const char *machine, bool tcg, struct strlist *a)
{
	const char *irqchip = knobs_get(w->knobs, "irqchip", NULL), *accel = "kvm", *cpu = "host";
	enum server server = w->path->mode->server;
	bool shared =
		server == SERVER_HELPER || server == SERVER_VDPA; /* a process maps the guest's memory */
	bool xen = mode_is_xen(w->path->mode);
	struct strbuf sb = STRBUF_INIT;

	if (tcg) {
		accel = "tcg";
		cpu = "max";
	}
	strbuf_adds(&sb, machine);
	if (xen)
		add_xen_accel(a);
	else
		strbuf_addf(&sb, ",accel=%s", accel);
	if (irqchip && !tcg && !xen)
		strbuf_addf(&sb, ",kernel-irqchip=%s", strcmp(irqchip, "kernel") ? irqchip : "on");
	if (shared)
		strbuf_adds(&sb, ",memory-backend=mem");
	strlist_add(a, "-machine");
	strlist_add(a, strbuf_str(&sb));
	strbuf_free(&sb);
	strlist_add(a, "-cpu");
	strlist_add(a, cpu);
	strlist_add(a, "-smp");
	strlist_addf(a, "%u", w->cpus);
	add_memory(w, shared, a);
}

/* For the probes, which ask after the window what its registers are called. */
static void add_monitor(const struct vmm_want *w, struct strlist *a)
{
	strlist_add(a, "-chardev");
	strlist_addf(a, "socket,id=qmp,path=exitlab-qmp-%d-%d,abstract=on,server=on,wait=off", getpid(),
		     w->stats_fd); /* one for each VM of a sample */
	strlist_add(a, "-mon");
	strlist_add(a, "chardev=qmp,mode=control");
}

void qemu_add_machine(const struct vmm_want *w, const char *machine, bool tcg, struct strlist *a)
{
	static const char *const always[] = {
		"-nodefaults", "-no-user-config", "-no-reboot",
		/* so that its vCPU threads can be told from the others */
		"-name", "exitlab,debug-threads=on", "-display", "none", NULL};

	strlist_add(a, w->program);
	for (size_t i = 0; always[i]; i++)
		strlist_add(a, always[i]);
	add_cpus_and_memory(w, machine, tcg, a);
	strlist_add(a, "-serial");
	strlist_addf(a, "file:%s", w->console_path);
	strlist_add(a, "-chardev");
	strlist_addf(a, "socket,id=agent,fd=%d", w->agent_fd);
	strlist_add(a, "-device");
	strlist_add(a, "isa-debug-exit,iobase=0xf4,iosize=4");
	add_monitor(w, a);
}

void qemu_add_kernel(const struct vmm_want *w, struct strlist *a)
{
	bool vmlinux = !strcmp(knobs_get(w->knobs, "kernel", "bzimage"), "vmlinux");

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
}

const struct knob_spelling qemu_spellings[] = {
	{"ring", NULL},	     {"event_idx", "event_idx"}, {"indirect", "indirect_desc"},
	{"queues", NULL},    {"irq", NULL},		 {"ioeventfd", "ioeventfd"},
	{"offload", NULL},   {"mrg_rxbuf", "mrg_rxbuf"}, {"engine", NULL},
	{"cache", NULL},     {"dma", NULL},		 {NULL, NULL},
};

/* A device of this text, with the knobs as QEMU spells them behind it. Frees the text. */
static int add_device(const struct vmm_want *w, const struct vmm_adapter *vmm, struct strbuf *sb,
		      struct strlist *a)
{
	int err = vmm_spell_knobs(vmm, w, sb);

	if (!err) {
		strlist_add(a, "-device");
		strlist_add(a, strbuf_str(sb));
	}
	strbuf_free(sb);
	return err;
}

static int add_virtio_device(const struct vmm_want *w, const struct vmm_adapter *vmm, unsigned queues,
			     struct strlist *a)
{
	const char *irq = knobs_get(w->knobs, "irq", "msix"), *ring = knobs_get(w->knobs, "ring", NULL);
	bool mmio = vmm_uses_mmio(vmm, w->knobs);
	struct strbuf sb = STRBUF_INIT;

	if (mmio)
		strbuf_addf(&sb, "virtio-net-device,netdev=n0,mac=%s", w->path->wire.mac);
	else
		strbuf_addf(&sb, "virtio-net-pci,netdev=n0,mac=%s,disable-legacy=on,romfile=", w->path->wire.mac);
	if (queues > 1)
		strbuf_adds(&sb, ",mq=on");
	if (!strcmp(irq, "intx"))
		strbuf_adds(&sb, ",vectors=0");
	else if (queues > 1 && !mmio)
		strbuf_addf(&sb, ",vectors=%u", 2 * queues + 2);
	if (!knobs_on(w->knobs, "offload", true))
		strbuf_adds(&sb, ",csum=off,gso=off,guest_csum=off,guest_tso4=off,guest_tso6=off,guest_ufo=off,"
				 "host_tso4=off,host_tso6=off,host_ufo=off");
	if (ring)
		strbuf_addf(&sb, ",packed=%s", on_off(!strcmp(ring, "packed")));
	return add_device(w, vmm, &sb, a);
}

void qemu_add_tap(const struct vmm_want *w, unsigned queues, bool vhost, struct strlist *a)
{
	struct strbuf sb = STRBUF_INIT;

	strbuf_addf(&sb, "tap,id=n0,vhost=%s,fd%s=", on_off(vhost), text_if(queues > 1, "s"));
	for (unsigned i = 0; i < queues; i++)
		strbuf_addf(&sb, "%s%d", text_if(i, ":"), w->path->wire.tap_fd[i]);
	strlist_add(a, "-netdev");
	strlist_add(a, strbuf_str(&sb));
	strbuf_free(&sb);
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

int qemu_add_virtio_net(const struct vmm_want *w, const struct vmm_adapter *vmm, struct strlist *a)
{
	unsigned queues = (unsigned)knobs_u64(w->knobs, "queues", 1);

	switch (w->path->mode->server) {
	case SERVER_VMM:
	case SERVER_KERNEL:
		qemu_add_tap(w, queues, w->path->mode->server == SERVER_KERNEL, a);
		break;
	case SERVER_HELPER:
		add_vhost_user(w, queues, a);
		break;
	default:
		return vmm_refuse_mode(vmm, w->path->mode);
	}
	return add_virtio_device(w, vmm, queues, a);
}

static bool knob_is(const struct knobs *ks, const char *name, const char *value)
{
	return !strcmp(knobs_get(ks, name, ""), value);
}

/* The medium past the page cache, and what all disks are told. queues: the property, or NULL. */
static int add_disk(const struct vmm_want *w, const struct vmm_adapter *vmm, const char *device,
		    const char *queues, struct strlist *a)
{
	const char *driver = "file", *aio = "io_uring";
	struct strbuf sb = STRBUF_INIT;

	if (w->path->medium.is_device)
		driver = "host_device";
	if (knob_is(w->knobs, "engine", "sync"))
		aio = "threads";
	strlist_add(a, "-blockdev");
	strlist_addf(a, "driver=%s,node-name=m0,filename=%s,cache.direct=on,aio=%s", driver, w->path->medium.path,
		     aio);
	strbuf_addf(&sb, "%s,drive=m0", device);
	if (queues)
		strbuf_addf(&sb, ",%s=%u", queues, (unsigned)knobs_u64(w->knobs, "queues", 1));
	strbuf_addf(&sb, ",write-cache=%s", on_off(!knob_is(w->knobs, "cache", "writethrough")));
	return add_device(w, vmm, &sb, a);
}

/* The switches of a virtio device that every VMM spells in its own way. */
static void add_virtio_switches(const struct vmm_want *w, struct strbuf *sb)
{
	if (knob_is(w->knobs, "irq", "intx"))
		strbuf_adds(sb, ",vectors=0");
	if (knob_is(w->knobs, "ring", "packed"))
		strbuf_adds(sb, ",packed=on");
}

static int add_virtio_blk(const struct vmm_want *w, const struct vmm_adapter *vmm, struct strlist *a)
{
	struct strbuf sb = STRBUF_INIT;
	int err;

	strlist_add(a, "-object");
	strlist_add(a, "iothread,id=io0");
	if (vmm_uses_mmio(vmm, w->knobs))
		strbuf_adds(&sb, "virtio-blk-device,iothread=io0");
	else
		strbuf_adds(&sb, "virtio-blk-pci,iothread=io0,disable-legacy=on");
	add_virtio_switches(w, &sb);
	err = add_disk(w, vmm, strbuf_str(&sb), "num-queues", a);
	strbuf_free(&sb);
	return err;
}

static int add_vhost_user_blk(const struct vmm_want *w, const struct vmm_adapter *vmm, struct strlist *a)
{
	struct strbuf sb = STRBUF_INIT;

	strlist_add(a, "-chardev");
	strlist_addf(a, "socket,id=vu,path=%s", w->path->socket);
	if (vmm_uses_mmio(vmm, w->knobs))
		strbuf_adds(&sb, "vhost-user-blk,chardev=vu");
	else
		strbuf_adds(&sb, "vhost-user-blk-pci,chardev=vu,disable-legacy=on");
	strbuf_addf(&sb, ",num-queues=%u", (unsigned)knobs_u64(w->knobs, "queues", 1));
	add_virtio_switches(w, &sb);
	return add_device(w, vmm, &sb, a);
}

/* Of whatever type it is: QEMU asks it, and for the number of its queues. */
static int add_vdpa(const struct vmm_want *w, const struct vmm_adapter *vmm, struct strlist *a)
{
	struct strbuf sb = STRBUF_INIT;

	if (vmm_uses_mmio(vmm, w->knobs))
		strbuf_adds(&sb, "vhost-vdpa-device");
	else
		strbuf_adds(&sb, "vhost-vdpa-device-pci,disable-legacy=on");
	strbuf_addf(&sb, ",vhostdev=%s", w->path->vdpa);
	add_virtio_switches(w, &sb);
	return add_device(w, vmm, &sb, a);
}

static int add_vhost_scsi(const struct vmm_want *w, const struct vmm_adapter *vmm, struct strlist *a)
{
	struct strbuf sb = STRBUF_INIT;

	if (vmm_uses_mmio(vmm, w->knobs))
		strbuf_adds(&sb, "vhost-scsi");
	else
		strbuf_adds(&sb, "vhost-scsi-pci,disable-legacy=on");
	strbuf_addf(&sb, ",wwpn=%s,num_queues=%u", w->path->target.wwpn,
		    (unsigned)knobs_u64(w->knobs, "queues", 1));
	add_virtio_switches(w, &sb);
	return add_device(w, vmm, &sb, a);
}

/* Its disk always offers DMA; Linux is told to leave it (the mode's cmdline). */
static int add_ide(const struct vmm_want *w, const struct vmm_adapter *vmm, struct strlist *a)
{
	if (w->micro && !knobs_on(w->knobs, "dma", true)) {
		log_error("--set dma=off: %s's disk has no such switch, and the micro guest does what the disk can; use --guest=linux",
			  vmm->name);
		return -ENOTSUP;
	}
	strlist_add(a, "-device");
	strlist_add(a, "piix3-ide,id=piix");
	return add_disk(w, vmm, "ide-hd,bus=piix.0", NULL, a);
}

/* Its back end has one queue, and a thread for it as virtio-blk's has. */
static int add_xen_blk(const struct vmm_want *w, const struct vmm_adapter *vmm, struct strlist *a)
{
	strlist_add(a, "-object");
	strlist_add(a, "iothread,id=io0");
	return add_disk(w, vmm, "xen-disk,vdev=xvda,iothread=io0", NULL, a);
}

int qemu_add_disk(const struct vmm_want *w, const struct vmm_adapter *vmm, struct strlist *a)
{
	const struct mode *mode = w->path->mode;

	if (mode->front == FRONT_VIRTIO_BLK && mode->server == SERVER_HELPER)
		return add_vhost_user_blk(w, vmm, a);
	if (mode->front == FRONT_VIRTIO_BLK && mode->server == SERVER_VDPA)
		return add_vdpa(w, vmm, a);
	if (mode->front == FRONT_VIRTIO_SCSI && mode->server == SERVER_KERNEL)
		return add_vhost_scsi(w, vmm, a);
	if (mode->server != SERVER_VMM)
		return vmm_refuse_mode(vmm, mode);
	switch (mode->front) {
	case FRONT_VIRTIO_BLK:
		return add_virtio_blk(w, vmm, a);
	case FRONT_IDE:
		return add_ide(w, vmm, a);
	case FRONT_XEN_BLK:
		return add_xen_blk(w, vmm, a);
	case FRONT_NVME:
		return add_disk(w, vmm, "nvme,serial=exitlab", "max_ioqpairs", a);
	default:
		return vmm_refuse_mode(vmm, mode);
	}
}
