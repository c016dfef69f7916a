// SPDX-License-Identifier: MIT
/*
 * OpenVMM under KVM. It has a prompt at its terminal, and ends when there is none, so that it is given one.
 * Its card has an address of its own choice.
 */
#include <errno.h>

#include "base/strbuf.h"
#include "bench/vmms/vmm.h"

static const char *openvmm_program(void)
{
	return "openvmm";
}

static int net_text(const struct vmm_want *w, struct strbuf *sb)
{
	if (w->path->mode->server != SERVER_VMM)
		return vmm_refuse_mode(&adapter_openvmm, w->path->mode);
	strbuf_addf(sb, "tap:%s", w->path->wire.tap);
	return 0;
}

/* The medium past the page cache. */
static int disk_text(const struct vmm_want *w, struct strbuf *sb)
{
	if (w->path->mode->server != SERVER_VMM)
		return vmm_refuse_mode(&adapter_openvmm, w->path->mode);
	strbuf_addf(sb, "file:%s;direct", w->path->medium.path);
	return 0;
}

static int openvmm_command(const struct vmm_want *w, struct strlist *a)
{
	static const struct vmm_devices devices = {net_text,	   disk_text, "--virtio-net",
						   "--virtio-blk", NULL,      NULL};

	if (vmm_refuse_variant(&adapter_openvmm, w))
		return -ENOTSUP;
	strlist_add(a, w->program);
	strlist_add(a, "--hypervisor");
	strlist_add(a, "kvm");
	strlist_add(a, "--single-process"); /* the VM is that of the process that we start */
	strlist_add(a, "--guest-shutdown-action");
	strlist_add(a, "exit");
	strlist_add(a, "--guest-reset-action");
	strlist_add(a, "exit");
	strlist_add(a, "--processors");
	strlist_addf(a, "%u", w->cpus);
	strlist_add(a, "--memory");
	strlist_addf(a, "%lluMB", (unsigned long long)(w->mem_bytes / MIB));
	strlist_add(a, "--com1");
	strlist_add(a, "console");
	strlist_add(a, "--kernel");
	strlist_addf(a, "%s/vmlinux", w->kernel);
	if (w->initrd) {
		strlist_add(a, "--initrd");
		strlist_add(a, w->initrd);
	}
	strlist_add(a, "--cmdline");
	strlist_add(a, w->cmdline);
	return vmm_add_device(&adapter_openvmm, w, a, &devices);
}

const struct vmm_adapter adapter_openvmm = {
	.name = "openvmm",
	.summary = "OpenVMM under KVM, virtio-pci",
	.channel = AGENT_TTY,
	.vcpu_thread = "vp-",
	.guests = GUEST_LINUX,
	.opens_tap = true,
	.lacks = "vhost in the kernel, vDPA, e1000; ide wants its BIOS; vhost-user, nvme, VFIO: not told to it yet",
	.spellings = vmm_no_spellings,
	.program = openvmm_program,
	.version_word = "--version",
	.get = VMM_GET("EXITLAB_OPENVMM", "openvmm"),
	.command = openvmm_command,
};
