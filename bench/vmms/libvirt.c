// SPDX-License-Identifier: MIT
/*
 * QEMU as libvirt starts it: a domain of libvirt's driver for QEMU, which virsh has within itself
 * (qemu:///embed), with its state in the sample's directory. No daemon of this machine knows of it, and
 * nothing of it outlives its namespaces. What libvirt decides (PCI bridges, -sandbox, its own monitor)
 * is left to it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/file.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "bench/host/paths.h"
#include "bench/host/programs.h"
#include "bench/vmms/vmm.h"

#define STATE "libvirt" /* in the directory of logs, and there domain.xml lies beside it */

/* Where plain QEMU has its devices: libvirt would put each behind a port of its own. */
#define ON_BUS_0 "<address type=\"pci\" bus=\"0x00\" slot=\"0x10\"/>"

static const char *libvirt_program(void)
{
	return "virsh";
}

/* libvirt's defaults belong to a daemon: another user for QEMU, cgroups and logs of its own. */
static const char qemu_conf[] = "user = \"root\"\n"
				"group = \"root\"\n"
				"dynamic_ownership = 0\n"
				"remember_owner = 0\n"
				"security_driver = \"none\"\n"
				"stdio_handler = \"file\"\n"
				"cgroup_controllers = []\n"
				"namespaces = []\n";

/* <TAG ATTRIBUTE='...'/> of what may hold any character. */
static void xml_path(struct strbuf *xml, const char *tag, const char *attribute, const char *value)
{
	strbuf_addf(xml, "<%s %s=\"", tag, attribute);
	escape_text(xml, LANGUAGE_HTML, value);
	strbuf_adds(xml, "\"/>\n");
}

static void xml_text(struct strbuf *xml, const char *tag, const char *value)
{
	strbuf_addf(xml, "<%s>", tag);
	escape_text(xml, LANGUAGE_HTML, value);
	strbuf_addf(xml, "</%s>\n", tag);
}

static void add_kernel(const struct vmm_want *w, struct strbuf *xml)
{
	const char *file = "vmlinuz";
	char *kernel;

	if (!strcmp(knobs_get(w->knobs, "kernel", ""), "vmlinux"))
		file = "vmlinux";
	kernel = w->micro ? xstrdup(w->kernel) : xasprintf("%s/%s", w->kernel, file);
	xml_text(xml, "kernel", kernel);
	if (w->initrd)
		xml_text(xml, "initrd", w->initrd);
	xml_text(xml, "cmdline", w->cmdline);
	free(kernel);
}

/* The interrupt controllers: libvirt knows KVM's own, and the split of them. */
static int add_features(const struct vmm_want *w, struct strbuf *xml)
{
	const char *irqchip = knobs_get(w->knobs, "irqchip", NULL), *ioapic = "kvm";

	if (irqchip && !strcmp(irqchip, "off")) {
		log_error("--set irqchip=off: libvirt has no word for it; use --vmm=qemu");
		return -ENOTSUP;
	}
	if (irqchip && !strcmp(irqchip, "split"))
		ioapic = "qemu";
	strbuf_addf(xml, "<features><acpi/><apic/>%s%s%s</features>\n", text_if(irqchip, "<ioapic driver=\""),
		    text_if(irqchip, ioapic), text_if(irqchip, "\"/>"));
	return 0;
}

static int add_machine(const struct vmm_want *w, struct strbuf *xml)
{
	int err;

	strbuf_adds(xml, "<domain type=\"kvm\" xmlns:qemu=\"http://libvirt.org/schemas/domain/qemu/1.0\">\n"
			 "<name>exitlab</name>\n");
	strbuf_addf(xml, "<memory unit=\"b\">%llu</memory>\n", (unsigned long long)w->mem_bytes);
	if (w->path->mode->server == SERVER_HELPER) /* which maps the guest's memory */
		strbuf_adds(
			xml,
			"<memoryBacking><source type=\"memfd\"/><access mode=\"shared\"/></memoryBacking>\n");
	strbuf_addf(xml, "<vcpu>%u</vcpu>\n<iothreads>1</iothreads>\n", w->cpus);
	strbuf_adds(xml, "<os><type arch=\"x86_64\" machine=\"q35\">hvm</type>\n");
	add_kernel(w, xml);
	strbuf_adds(xml, "</os>\n");
	err = add_features(w, xml);
	strbuf_adds(
		xml,
		"<cpu mode=\"host-passthrough\"/>\n"
		"<on_poweroff>destroy</on_poweroff><on_reboot>destroy</on_reboot><on_crash>destroy</on_crash>\n");
	return err;
}

/* Attributes, with a blank before each, of what every virtio device has, and of its own. */
static int add_virtio_driver(const struct vmm_want *w, const char *own, struct strbuf *xml)
{
	static const struct {
		const char *knob, *attribute;
	} words[] = {{"event_idx", "event_idx"}, {"ioeventfd", "ioeventfd"}};
	const char *irq = knobs_get(w->knobs, "irq", "msix"), *ring = knobs_get(w->knobs, "ring", NULL);

	if (strcmp(irq, "msix") != 0) {
		log_error("--set irq=%s: libvirt has no word for it; use --vmm=qemu", irq);
		return -ENOTSUP;
	}
	strbuf_addf(xml, "<driver %s", own);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (knobs_get(w->knobs, words[i].knob, NULL))
			strbuf_addf(xml, " %s=\"%s\"", words[i].attribute,
				    knobs_get(w->knobs, words[i].knob, ""));
	if (ring)
		strbuf_addf(xml, " packed=\"%s\"", on_off(!strcmp(ring, "packed")));
	return 0;
}

static void add_offload(const struct vmm_want *w, struct strbuf *xml)
{
	const char *mrg_rxbuf = knobs_get(w->knobs, "mrg_rxbuf", NULL);
	bool offload = knobs_on(w->knobs, "offload", true);

	strbuf_adds(xml, "<host");
	if (mrg_rxbuf)
		strbuf_addf(xml, " mrg_rxbuf=\"%s\"", mrg_rxbuf);
	if (!offload)
		strbuf_adds(xml, " csum=\"off\" gso=\"off\" tso4=\"off\" tso6=\"off\" ufo=\"off\"");
	strbuf_adds(xml, "/>");
	if (!offload)
		strbuf_adds(xml, "<guest csum=\"off\" tso4=\"off\" tso6=\"off\" ufo=\"off\"/>");
}

static int add_virtio_net(const struct vmm_want *w, struct strbuf *xml)
{
	unsigned queues = (unsigned)knobs_u64(w->knobs, "queues", 1);
	const char *name = "name=\"qemu\"";
	int err;

	if (w->path->mode->server == SERVER_KERNEL)
		name = "name=\"vhost\"";
	else if (w->path->mode->server == SERVER_HELPER)
		name = "";
	else if (w->path->mode->server != SERVER_VMM)
		return vmm_refuse_mode(&adapter_libvirt, w->path->mode);
	strbuf_adds(xml, "<model type=\"virtio\"/>\n");
	err = add_virtio_driver(w, name, xml);
	if (queues > 1)
		strbuf_addf(xml, " queues=\"%u\"", queues);
	strbuf_adds(xml, ">");
	add_offload(w, xml);
	strbuf_adds(xml, "</driver>\n");
	return err;
}

static int add_e1000(const struct vmm_want *w, struct strbuf *xml)
{
	strbuf_adds(xml, "<model type=\"e1000\"/>\n");
	if (knobs_on(w->knobs, "offload", true))
		return 0;
	log_error(
		"--set offload=off: qemu's e1000 has no such switch; --set tso=off has the guest not use it");
	return -ENOTSUP;
}

static int add_net(const struct vmm_want *w, struct strbuf *xml)
{
	int err;

	if (w->path->mode->server == SERVER_HELPER) {
		strbuf_adds(xml,
			    "<interface type=\"vhostuser\"><source type=\"unix\" mode=\"client\" path=\"");
		escape_text(xml, LANGUAGE_HTML, w->path->socket);
		strbuf_adds(xml, "\"/>\n");
	} else {
		strbuf_adds(xml, "<interface type=\"ethernet\">");
		strbuf_addf(xml, "<target dev=\"%s\" managed=\"no\"/>\n", w->path->wire.tap);
	}
	xml_path(xml, "mac", "address", w->path->wire.mac);
	if (w->path->mode->front == FRONT_E1000)
		err = add_e1000(w, xml);
	else
		err = add_virtio_net(w, xml);
	strbuf_adds(xml, "<rom enabled=\"no\"/>" ON_BUS_0 "</interface>\n");
	return err;
}

/* The medium past the page cache. */
static int add_disk(const struct vmm_want *w, struct strbuf *xml)
{
	const char *type = "file", *source = "file", *aio = "io_uring", *cache = "none";
	int err;

	if (w->path->mode->server != SERVER_VMM)
		return vmm_refuse_mode(&adapter_libvirt, w->path->mode);
	if (w->path->medium.is_device) {
		type = "block";
		source = "dev";
	}
	if (!strcmp(knobs_get(w->knobs, "engine", ""), "sync"))
		aio = "threads";
	if (!strcmp(knobs_get(w->knobs, "cache", ""), "writethrough"))
		cache = "directsync";
	strbuf_addf(xml, "<disk type=\"%s\" device=\"disk\">", type);
	err = add_virtio_driver(w, "name=\"qemu\" type=\"raw\" iothread=\"1\"", xml);
	strbuf_addf(xml, " io=\"%s\" cache=\"%s\" queues=\"%u\"/>\n", aio, cache,
		    (unsigned)knobs_u64(w->knobs, "queues", 1));
	if (w->path->medium.fd >= 0) /* a file without a name, which the program has from us */
		strbuf_addf(xml, "<source %s=\"/proc/1/fd/%d\"/>\n", source, w->path->medium.fd);
	else
		xml_path(xml, "source", source, w->path->medium.path);
	strbuf_adds(xml, "<target dev=\"vda\" bus=\"virtio\"/>" ON_BUS_0 "</disk>\n");
	return err;
}

static int add_vfio(const struct vmm_want *w, struct strbuf *xml)
{
	unsigned domain = 0, bus = 0, slot = 0, function = 0;
	const char *addr = w->path->sriov.vf_addr;

	if (*addr && sscanf(addr, "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4)
		return -EINVAL;
	strbuf_addf(
		xml,
		"<hostdev mode=\"subsystem\" type=\"pci\" managed=\"no\"><driver name=\"vfio\"/><source>"
		"<address domain=\"0x%x\" bus=\"0x%x\" slot=\"0x%x\" function=\"0x%x\"/></source>" ON_BUS_0
		"</hostdev>\n",
		domain, bus, slot, function);
	return 0;
}

/* Each is said in its own way, below; none is passed over. */
static int refuse_unknown_knobs(const struct vmm_want *w)
{
	struct strbuf none = STRBUF_INIT;
	int err = vmm_spell_knobs(&adapter_libvirt, w, &none);

	strbuf_free(&none);
	return err;
}

static int add_device(const struct vmm_want *w, struct strbuf *xml)
{
	if (refuse_unknown_knobs(w))
		return -ENOTSUP;
	switch (w->path->mode->front) {
	case FRONT_NONE:
		return 0;
	case FRONT_E1000:
	case FRONT_VIRTIO_NET:
		return add_net(w, xml);
	case FRONT_VIRTIO_BLK:
		return add_disk(w, xml);
	case FRONT_VFIO:
		return add_vfio(w, xml);
	default:
		return vmm_refuse_mode(&adapter_libvirt, w->path->mode);
	}
}

/* Console and agent, and what libvirt has no words for: the micro guest's exit, a monitor for the probes. */
static void add_ports(struct strbuf *xml)
{
	strbuf_adds(xml, "<serial type=\"file\"><source path=\"" STARTER_MNT
			 "/console.log\"/><target port=\"0\"/></serial>\n"
			 "<serial type=\"unix\"><source mode=\"connect\" path=\"" STARTER_MNT "/" STATE
			 "/" STARTER_AGENT "\"/><target port=\"1\"/></serial>\n"
			 "<controller type=\"usb\" model=\"none\"/><memballoon model=\"none\"/>\n"
			 "</devices>\n<qemu:commandline>\n");
	xml_path(xml, "qemu:arg", "value", "-device");
	xml_path(xml, "qemu:arg", "value", "isa-debug-exit,iobase=0xf4,iosize=4");
	xml_path(xml, "qemu:arg", "value", "-chardev");
	xml_path(xml, "qemu:arg", "value",
		 "socket,id=qmp,path=" STARTER_MNT "/" STATE "/qmp,server=on,wait=off");
	xml_path(xml, "qemu:arg", "value", "-mon");
	xml_path(xml, "qemu:arg", "value", "chardev=qmp,mode=control");
	strbuf_adds(xml, "</qemu:commandline>\n</domain>\n");
}

static int describe_domain(const struct vmm_want *w, struct strbuf *xml)
{
	char *emulator = path_program(qemu_program());
	int err = add_machine(w, xml);

	strbuf_adds(xml, "<devices>\n");
	xml_text(xml, "emulator", text_or(emulator, qemu_program()));
	free(emulator);
	if (!err)
		err = add_device(w, xml);
	add_ports(xml);
	return err;
}

static int write_in(const char *dir, const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", dir, name);
	int err = file_write_atomic(path, text, strlen(text));

	free(path);
	return err;
}

static int link_in(const char *dir, const char *name, const char *to)
{
	char *path = xasprintf("%s/%s", dir, name);
	int err = errno_if(symlink(to, path));

	free(path);
	return err;
}

/*
 * libvirt's state: its settings; its log among those of the sample; and what it has found out about
 * QEMU, which it asks two QEMUs for, where the next sample finds it again.
 */
static int lay_out_state(const char *log_dir)
{
	char *etc = xasprintf("%s/" STATE "/etc", log_dir), *log = xasprintf("%s/" STATE "/log", log_dir);
	char *root = xasprintf("%s/" STATE, log_dir), *known = xasprintf("%s/libvirt", path_cache());
	int err = dir_make_all(etc);

	if (!err)
		err = dir_make_all(log);
	if (!err)
		err = dir_make_all(known);
	if (!err)
		err = write_in(etc, "qemu.conf", qemu_conf);
	if (!err)
		err = link_in(log, "qemu", "../..");
	if (!err)
		err = link_in(root, "cache", known);
	free(etc);
	free(log);
	free(root);
	free(known);
	return err;
}

static int libvirt_command(const struct vmm_want *w, struct strlist *a)
{
	struct strbuf xml = STRBUF_INIT;
	int err = vmm_refuse_variant(&adapter_libvirt, w);

	if (!err)
		err = describe_domain(w, &xml);
	if (!err && w->log_dir)
		err = lay_out_state(w->log_dir);
	if (!err && w->log_dir)
		err = write_in(w->log_dir, "domain.xml", strbuf_str(&xml));
	strbuf_free(&xml);
	strlist_add(a, w->program);
	strlist_add(a, "-q");
	strlist_add(a, "-c");
	strlist_add(a, "qemu:///embed?root=" STARTER_MNT "/" STATE);
	return err;
}

static char *libvirt_unusable(void)
{
	char *qemu = path_program(qemu_program());
	bool there = qemu;

	free(qemu);
	if (!there)
		return xasprintf("it starts %s, which is not there; run %s", qemu_program(), path_setup());
	if (geteuid())
		return xstrdup("its QEMU is started in namespaces of its own, which needs root");
	return NULL;
}

static const char *const libvirt_carry[] = {
	"/usr/bin/virsh",
	"/usr/bin/qemu-system-x86_64",
	"/usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_qemu.so",
	"/etc/passwd",
	"/etc/group",
	"/usr/share/seabios/bios-256k.bin",
	"/usr/share/qemu/kvmvapic.bin",
	"/usr/share/qemu/linuxboot_dma.bin",
	"/usr/share/qemu/bios-256k.bin",
	"/usr/share/qemu/multiboot_dma.bin",
	NULL,
};

static const struct vmm_starter libvirt_starter = {
	.dir = STATE,
	.make = "create " STARTER_MNT "/domain.xml --paused\n",
	.go = "resume exitlab\n",
	.wrong = "error: ",
};

const struct vmm_adapter adapter_libvirt = {
	.name = "libvirt",
	.summary = "QEMU's q35 as libvirt starts it, by virsh",
	.starter = &libvirt_starter,
	.vcpu_thread = "CPU ",
	.opens_tap = true,
	.lacks = "nvme, ide, vhost-scsi, vDPA, vhost-user for disks: not told to libvirt here; virtio-mmio",
	.spellings = (const struct knob_spelling[]){{"ring", NULL},
						    {"event_idx", NULL},
						    {"queues", NULL},
						    {"irq", NULL},
						    {"ioeventfd", NULL},
						    {"offload", NULL},
						    {"mrg_rxbuf", NULL},
						    {"engine", NULL},
						    {"cache", NULL},
						    {NULL, NULL}},
	.carry = libvirt_carry,
	.program = libvirt_program,
	.version_word = "--version",
	.get = "run ./setup.sh --tests",
	.unusable = libvirt_unusable,
	.command = libvirt_command,
};
