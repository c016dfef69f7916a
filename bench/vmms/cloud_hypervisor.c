// SPDX-License-Identifier: MIT
/* Cloud Hypervisor. */
#include <errno.h>

#include "base/strbuf.h"
#include "bench/vmms/vmm.h"

static const char *cloud_hypervisor_program(void)
{
	return "cloud-hypervisor";
}

/* Two queues a pair, and as many fds as pairs. */
static void add_taps(const struct vmm_want *w, struct strbuf *sb)
{
	unsigned pairs = (unsigned)knobs_u64(w->knobs, "queues", 1);

	strbuf_addf(sb, ",num_queues=%u,fd=[", 2 * pairs);
	for (unsigned i = 0; i < pairs; i++)
		strbuf_addf(sb, "%s%d", text_if(i, ","), w->path->wire.tap_fd[i]);
	strbuf_addc(sb, ']');
}

static int net_text(const struct vmm_want *w, struct strbuf *sb)
{
	strbuf_addf(sb, "mac=%s", w->path->wire.mac);
	if (w->path->mode->server == SERVER_VMM)
		add_taps(w, sb);
	else if (w->path->mode->server == SERVER_HELPER)
		strbuf_addf(sb, ",num_queues=%u,vhost_user=true,socket=%s",
			    2 * (unsigned)knobs_u64(w->knobs, "queues", 1), w->path->socket);
	else
		return vmm_refuse_mode(&adapter_cloud_hypervisor, w->path->mode);
	return 0;
}

/* The medium past the page cache. */
static int disk_text(const struct vmm_want *w, struct strbuf *sb)
{
	unsigned queues = (unsigned)knobs_u64(w->knobs, "queues", 1);

	if (w->path->mode->server == SERVER_VMM)
		strbuf_addf(sb, "path=%s,direct=on,image_type=raw", w->path->medium.path);
	else if (w->path->mode->server == SERVER_HELPER)
		strbuf_addf(sb, "vhost_user=on,socket=%s", w->path->socket);
	else
		return vmm_refuse_mode(&adapter_cloud_hypervisor, w->path->mode);
	strbuf_addf(sb, ",num_queues=%u", queues);
	return 0;
}

static int vdpa_text(const struct vmm_want *w, struct strbuf *sb)
{
	strbuf_addf(sb, "path=%s,num_queues=%u", w->path->vdpa, (unsigned)knobs_u64(w->knobs, "queues", 1));
	return 0;
}

static int cloud_hypervisor_command(const struct vmm_want *w, struct strlist *a)
{
	static const struct vmm_devices own = {net_text, disk_text, "--net", "--disk", "--device", "path="},
					vdpa = {NULL, vdpa_text, NULL, "--vdpa", NULL, NULL};
	bool is_vdpa = w->path->mode->server == SERVER_VDPA;
	bool shared = is_vdpa || w->path->mode->server == SERVER_HELPER; /* mapped by another process */
	const struct vmm_devices *devices = &own;

	if (vmm_refuse_variant(&adapter_cloud_hypervisor, w))
		return -ENOTSUP;
	if (is_vdpa)
		devices = &vdpa;
	strlist_add(a, w->program);
	strlist_add(a, "--kernel");
	strlist_addf(a, "%s/vmlinux", w->kernel);
	if (w->initrd) {
		strlist_add(a, "--initramfs");
		strlist_add(a, w->initrd);
	}
	strlist_add(a, "--cmdline");
	strlist_add(a, w->cmdline);
	strlist_add(a, "--cpus");
	strlist_addf(a, "boot=%u", w->cpus);
	strlist_add(a, "--memory");
	strlist_addf(a, "size=%lluM%s", (unsigned long long)(w->mem_bytes / MIB),
		     text_if(shared, ",shared=on"));
	strlist_add(a, "--serial");
	strlist_add(a, "tty");
	strlist_add(a, "--console");
	strlist_add(a, "off");
	return vmm_add_device(&adapter_cloud_hypervisor, w, a, devices);
}

static const struct knob_spelling cloud_hypervisor_spellings[] = {{"queues", NULL}, {NULL, NULL}};

const struct vmm_adapter adapter_cloud_hypervisor = {
	.name = "cloud-hypervisor",
	.summary = "Cloud Hypervisor, virtio-pci",
	.channel = AGENT_STDIO,
	.vcpu_thread = "vcpu",
	.guests = GUEST_LINUX,
	.spellings = cloud_hypervisor_spellings,
	.lacks = "vhost in the kernel, vhost-scsi, virtio-mmio, e1000, nvme, ide",
	.program = cloud_hypervisor_program,
	.version_word = "--version",
	.get = VMM_GET("EXITLAB_CLOUD_HYPERVISOR", "cloud-hypervisor"),
	.command = cloud_hypervisor_command,
};
