// SPDX-License-Identifier: MIT
/* kvmtool's lkvm, whose virtio devices on x86 are PCI's: as virtio 1 has them, or legacy ones. */
#include <errno.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "bench/vmms/vmm.h"

static const char *kvmtool_program(void)
{
	return "lkvm";
}

static int kvmtool_add_net(const struct vmm_want *w, struct strlist *a)
{
	struct strbuf sb = STRBUF_INIT;
	int err = 0;

	strbuf_addf(&sb, "mode=tap,tapif=%s,script=none,guest_mac=%s", w->path->wire.tap, w->path->wire.mac);
	if (w->path->mode->server == SERVER_KERNEL)
		strbuf_adds(&sb, ",vhost=1");
	else if (w->path->mode->server != SERVER_VMM)
		err = vmm_refuse_mode(&adapter_kvmtool, w->path->mode);
	if (!err)
		err = vmm_spell_knobs(&adapter_kvmtool, w, &sb);
	strlist_add(a, "--network");
	strlist_add(a, strbuf_str(&sb));
	strbuf_free(&sb);
	return err;
}

/* The medium past the page cache. */
static int kvmtool_add_disk(const struct vmm_want *w, struct strlist *a)
{
	const struct mode *mode = w->path->mode;
	struct strbuf none = STRBUF_INIT;

	if (mode->front != FRONT_VIRTIO_BLK || mode->server != SERVER_VMM)
		return vmm_refuse_mode(&adapter_kvmtool, mode);
	strlist_add(a, "--disk");
	strlist_addf(a, "%s,direct", w->path->medium.path);
	return vmm_spell_knobs(&adapter_kvmtool, w, &none);
}

static int kvmtool_add_device(const struct vmm_want *w, struct strlist *a)
{
	if (w->path->mode->front == FRONT_VIRTIO_NET)
		return kvmtool_add_net(w, a);
	strlist_add(a, "--network"); /* one of its own unless told */
	strlist_add(a, "mode=none");
	if (w->path->mode->front == FRONT_NONE)
		return 0;
	if (w->path->mode->front != FRONT_VFIO)
		return kvmtool_add_disk(w, a);
	strlist_add(a, "--vfio-pci");
	strlist_add(a, w->path->sriov.vf_addr);
	return 0;
}

static int kvmtool_command(const struct vmm_want *w, struct strlist *a)
{
	if (vmm_refuse_variant(&adapter_kvmtool, w))
		return -ENOTSUP;
	strlist_add(a, w->program);
	strlist_add(a, "run");
	strlist_add(a, "--nodefaults");
	strlist_add(a, "--name");
	strlist_addf(a, "exitlab-%d-%d", getpid(), w->stats_fd); /* a socket's: one for each VM of a sample */
	strlist_add(a, "--console");
	strlist_add(a, "serial");
	strlist_add(a, "--cpus");
	strlist_addf(a, "%u", w->cpus);
	strlist_add(a, "--mem");
	strlist_addf(a, "%lluM", (unsigned long long)(w->mem_bytes / MIB));
	strlist_add(a, "--kernel");
	strlist_addf(a, "%s/vmlinuz", w->kernel);
	if (w->initrd) {
		strlist_add(a, "--initrd");
		strlist_add(a, w->initrd);
	}
	strlist_add(a, "--params");
	strlist_add(a, w->cmdline);
	strlist_add(a, "--virtio-transport");
	strlist_add(a, knobs_get(w->knobs, "transport", "pci"));
	return kvmtool_add_device(w, a);
}

const struct vmm_adapter adapter_kvmtool = {
	.name = "kvmtool",
	.summary = "kvmtool's lkvm, virtio-pci; --set transport=pci-legacy gives it virtio 0.9",
	.channel = AGENT_STDIO,
	.vcpu_thread = "kvm-vcpu-",
	.guests = GUEST_LINUX,
	.cmdline = "noapic noacpi pci=conf1 reboot=k i8042.direct=1 i8042.dumbkbd=1 i8042.nopnp=1 i8042.noaux=1 " VMM_RESET,
	.opens_tap = true,
	.transports = "pci|pci-legacy",
	.lacks = "vhost-scsi (its requests are never answered), virtio-mmio on x86, vhost-user, vDPA, e1000, nvme, ide",
	.spellings = vmm_no_spellings,
	.program = kvmtool_program,
	.version_word = "version",
	.get = VMM_GET("EXITLAB_KVMTOOL", "kvmtool"),
	.command = kvmtool_command,
};
