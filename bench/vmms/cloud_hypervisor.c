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

static int add_net(const struct vmm_want *w, struct strlist *a)
{
	struct strbuf sb = STRBUF_INIT;
	int err = 0;

	strbuf_addf(&sb, "mac=%s", w->path->wire.mac);
	if (w->path->mode->server == SERVER_VMM)
		add_taps(w, &sb);
	else if (w->path->mode->server == SERVER_HELPER)
		strbuf_addf(&sb, ",num_queues=%u,vhost_user=true,socket=%s",
			    2 * (unsigned)knobs_u64(w->knobs, "queues", 1), w->path->socket);
	else
		err = vmm_refuse_mode(&adapter_cloud_hypervisor, w->path->mode);
	if (!err)
		err = vmm_spell_knobs(&adapter_cloud_hypervisor, w, &sb);
	strlist_add(a, "--net");
	strlist_add(a, strbuf_str(&sb));
	strbuf_free(&sb);
	return err;
}

static int add_device(const struct vmm_want *w, struct strlist *a)
{
	switch (w->path->mode->front) {
	case FRONT_NONE:
		return 0;
	case FRONT_VIRTIO_NET:
		return add_net(w, a);
	case FRONT_VFIO:
		strlist_add(a, "--device");
		strlist_addf(a, "path=/sys/bus/pci/devices/%s", w->path->sriov.vf_addr);
		return 0;
	default:
		return vmm_refuse_mode(&adapter_cloud_hypervisor, w->path->mode);
	}
}

static int cloud_hypervisor_command(const struct vmm_want *w, struct strlist *a)
{
	bool shared = w->path->mode->server == SERVER_HELPER; /* the helper maps the guest's memory */

	if (vmm_refuse_variant(&adapter_cloud_hypervisor, w))
		return -ENOTSUP;
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
	return add_device(w, a);
}

static const struct knob_spelling cloud_hypervisor_spellings[] = {{"queues", NULL}, {NULL, NULL}};

const struct vmm_adapter adapter_cloud_hypervisor = {
	.name = "cloud-hypervisor",
	.summary = "Cloud Hypervisor, virtio-pci",
	.channel = AGENT_STDIO,
	.vcpu_thread = "vcpu",
	.guests = GUEST_LINUX,
	.spellings = cloud_hypervisor_spellings,
	.program = cloud_hypervisor_program,
	.version_word = "--version",
	.get = VMM_GET("EXITLAB_CLOUD_HYPERVISOR", "cloud-hypervisor"),
	.command = cloud_hypervisor_command,
};
