// SPDX-License-Identifier: MIT
/* Our own VMM. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "bench/vmms/vmm.h"
#include "bench/host/paths.h"

static const char *builtin_program(void)
{
	const char *ours = path_find("vmm");

	return text_or(ours, "build/vmm");
}

/* What --net mode= of our VMM calls the device, or NULL. */
static const char *builtin_net_mode(const struct mode *mode)
{
	static const char *const virtio[] = {
		[SERVER_VMM] = "virtio", [SERVER_KERNEL] = "vhost", [SERVER_HELPER] = "vhost-user"};

	if (mode->front == FRONT_E1000 && mode->server == SERVER_VMM)
		return "e1000";
	if (mode->front == FRONT_VIRTIO_NET && mode->server < ARRAY_SIZE(virtio))
		return virtio[mode->server];
	return NULL;
}

static void add_net(const struct vmm_want *w, const char *mode, struct strlist *a)
{
	struct strbuf sb = STRBUF_INIT;
	int fd[PATH_FDS], n = 0;

	strbuf_addf(&sb, "mode=%s,mac=%s", mode, w->path->wire.mac);
	/* The helper, if there is one, has the TAP. */
	if (w->path->socket)
		strbuf_addf(&sb, ",path=%s", w->path->socket);
	else
		n = path_fds(w->path, fd);
	for (int i = 0; i < n; i++)
		strbuf_addf(&sb, "%s%d", i ? ":" : ",fd=", fd[i]);
	vmm_spell_knobs(&adapter_builtin, w, &sb); /* has them all */
	strlist_add(a, "--net");
	strlist_add(a, strbuf_str(&sb));
	strbuf_free(&sb);
}

/* The same of --disk mode=. */
static const char *builtin_disk_mode(const struct mode *mode)
{
	if (mode->front == FRONT_VIRTIO_BLK && mode->server == SERVER_HELPER)
		return "vhost-user-blk";
	if (mode->front == FRONT_VIRTIO_SCSI && mode->server == SERVER_KERNEL)
		return "vhost-scsi";
	if (mode->front == FRONT_VIRTIO_BLK && mode->server == SERVER_VDPA)
		return "vdpa";
	if (mode->server != SERVER_VMM)
		return NULL;
	switch (mode->front) {
	case FRONT_VIRTIO_BLK:
		return "virtio-blk";
	case FRONT_NVME:
		return "nvme";
	case FRONT_IDE:
		return "ide";
	default:
		return NULL;
	}
}

static int add_disk(const struct vmm_want *w, const char *mode, struct strlist *a)
{
	const char *ioeventfd = knobs_get(w->knobs, "ioeventfd", NULL);
	struct strbuf sb = STRBUF_INIT;

	if (w->path->mode->front == FRONT_NVME && ioeventfd) {
		log_error("--set ioeventfd=%s: builtin's nvme has no such switch: a doorbell needs its value; see shadow=", ioeventfd);
		return -ENOTSUP;
	}
	/* Who serves it has the medium. */
	if (w->path->mode->server == SERVER_KERNEL)
		strbuf_addf(&sb, "mode=%s,wwpn=%s", mode, w->path->target.wwpn);
	else if (w->path->mode->server == SERVER_HELPER)
		strbuf_addf(&sb, "mode=%s,path=%s", mode, w->path->socket);
	else if (w->path->mode->server == SERVER_VDPA)
		strbuf_addf(&sb, "mode=%s,path=%s", mode, w->path->vdpa);
	else
		strbuf_addf(&sb, "file=%s,mode=%s", w->path->medium.path, mode);
	vmm_spell_knobs(&adapter_builtin, w, &sb); /* has them all */
	strlist_add(a, "--disk");
	strlist_add(a, strbuf_str(&sb));
	strbuf_free(&sb);
	return 0;
}

static void add_kernel(const struct vmm_want *w, struct strlist *a)
{
	bool bzimage = !strcmp(knobs_get(w->knobs, "kernel", "vmlinux"), "bzimage");

	if (w->micro) {
		strlist_addf(a, "--kernel=%s", w->kernel);
		strlist_add(a, "--device=exitlab-testdev"); /* what exit-cost measures against */
	} else {
		strlist_addf(a, "--kernel=%s/%s", w->kernel, bzimage ? "vmlinuz" : "vmlinux");
	}
	if (w->initrd)
		strlist_addf(a, "--initrd=%s", w->initrd);
	strlist_addf(a, "--cmdline=%s", w->cmdline);
}

static int add_device(const struct vmm_want *w, struct strlist *a)
{
	const struct mode *mode = w->path->mode;
	const char *net = builtin_net_mode(mode);

	if (builtin_disk_mode(mode))
		return add_disk(w, builtin_disk_mode(mode), a);
	if (mode->front == FRONT_VFIO)
		strlist_addf(a, "--vfio=%s", w->path->sriov.vf_addr);
	else if (net)
		add_net(w, net, a);
	else if (mode->front != FRONT_NONE)
		return vmm_refuse_mode(&adapter_builtin, mode);
	return 0;
}

static int builtin_command(const struct vmm_want *w, struct strlist *a)
{
	if (vmm_refuse_variant(&adapter_builtin, w))
		return -ENOTSUP;
	strlist_add(a, w->program);
	add_kernel(w, a);
	strlist_addf(a, "--cpus=%u", w->cpus);
	strlist_addf(a, "--mem=%lluM", (unsigned long long)(w->mem_bytes / MIB));
	strlist_addf(a, "--console=%s", w->console_path);
	strlist_addf(a, "--agent=fd=%d", w->agent_fd);
	strlist_addf(a, "--stats=fd=%d", w->stats_fd);
	strlist_add(a, "--no-reboot");
	if (knobs_get(w->knobs, "irqchip", NULL))
		strlist_addf(a, "--irqchip=%s", knobs_get(w->knobs, "irqchip", NULL));
	if (knobs_get(w->knobs, "sandbox", NULL))
		strlist_addf(a, "--sandbox=%s", knobs_get(w->knobs, "sandbox", NULL));
	if (w->unsafe_interrupts)
		strlist_add(a, "--allow-unsafe-interrupts");
	return add_device(w, a);
}

const struct vmm_adapter adapter_builtin = {
	.name = "builtin",
	.summary = "our own instrumented VMM",
	.get = "run make",
	.program = builtin_program,
	.ours = true,
	.vcpu_thread = "vcpu",
	.lacks = "virtio-mmio, Xen's split drivers",
	.command = builtin_command,
};
