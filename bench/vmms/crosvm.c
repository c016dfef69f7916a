// SPDX-License-Identifier: MIT
/* crosvm, its devices in its own process. */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "bench/vmms/vmm.h"

static const char *crosvm_program(void)
{
	return "crosvm";
}

static int net_text(const struct vmm_want *w, struct strbuf *sb)
{
	strbuf_addf(sb, "tap-name=%s,mac=%s", w->path->wire.tap, w->path->wire.mac);
	if (w->path->mode->server == SERVER_KERNEL)
		strbuf_adds(sb, ",vhost-net=[device=/dev/vhost-net]");
	else if (w->path->mode->server != SERVER_VMM)
		return vmm_refuse_mode(&adapter_crosvm, w->path->mode);
	if (!strcmp(knobs_get(w->knobs, "ring", ""), "packed"))
		strbuf_adds(sb, ",packed-queue=true");
	return 0;
}

/* The medium past the page cache; requests by io_uring, or by threads that are woken for each. */
static int disk_text(const struct vmm_want *w, struct strbuf *sb)
{
	const char *executor = "uring";

	if (w->path->mode->server != SERVER_VMM)
		return vmm_refuse_mode(&adapter_crosvm, w->path->mode);
	if (!strcmp(knobs_get(w->knobs, "engine", ""), "sync"))
		executor = "epoll";
	strbuf_addf(sb, "path=%s,direct=true,sparse=false,lock=false,async-executor=%s", w->path->medium.path,
		    executor);
	if (!strcmp(knobs_get(w->knobs, "ring", ""), "packed"))
		strbuf_adds(sb, ",packed-queue=true");
	return 0;
}

/* As many queues as the helper says, of 32,768 entries unless told: ours takes 1,024 at most. */
static int vhost_user_text(const struct vmm_want *w, struct strbuf *sb)
{
	const char *type = "net", *ring = knobs_get(w->knobs, "ring", NULL);

	if (ring) {
		log_error("--set ring=%s: crosvm leaves a helper's ring to the guest; leave it out", ring);
		return -ENOTSUP;
	}
	if (w->path->mode->front == FRONT_VIRTIO_BLK)
		type = "block";
	strbuf_addf(sb, "type=%s,socket=%s,max-queue-size=256", type, w->path->socket);
	return 0;
}

static int crosvm_command(const struct vmm_want *w, struct strlist *a)
{
	static const struct vmm_devices own = {net_text, disk_text, "--net", "--block", NULL, NULL},
					helpers = {vhost_user_text, vhost_user_text, "--vhost-user",
						   "--vhost-user",  NULL,	     NULL};
	const struct vmm_devices *devices = &own;
	int err;

	if (vmm_refuse_variant(&adapter_crosvm, w))
		return -ENOTSUP;
	if (w->path->mode->server == SERVER_HELPER)
		devices = &helpers;
	strlist_add(a, w->program);
	strlist_add(a, "run");
	strlist_add(a, "--disable-sandbox");
	strlist_add(a, "--cpus");
	strlist_addf(a, "%u", w->cpus);
	strlist_add(a, "--mem");
	strlist_addf(a, "%llu", (unsigned long long)(w->mem_bytes / MIB));
	strlist_add(a, "--serial");
	strlist_add(a, "type=stdout,hardware=serial,num=1,console,stdin");
	if (w->initrd) {
		strlist_add(a, "--initrd");
		strlist_add(a, w->initrd);
	}
	strlist_add(a, "--params");
	strlist_add(a, w->cmdline);
	err = vmm_add_device(&adapter_crosvm, w, a, devices);
	strlist_addf(a, "%s/vmlinux", w->kernel);
	return err;
}

const struct vmm_adapter adapter_crosvm = {
	.name = "crosvm",
	.summary = "crosvm without its sandbox, virtio-pci",
	.channel = AGENT_STDIO,
	.opens_tap = true, /* it asks for the MTU by the name, whichever way it got the TAP */
	.vcpu_thread = "crosvm_vcpu",
	.guests = GUEST_LINUX,
	.spellings = (const struct knob_spelling[]){{"engine", NULL}, {"ring", NULL}, {NULL, NULL}},
	.lacks = "VFIO (its guest finds no card), vDPA, vhost-scsi, virtio-mmio, e1000, nvme, ide",
	.program = crosvm_program,
	.version_word = "version",
	.get = VMM_GET("EXITLAB_CROSVM", "crosvm"),
	.command = crosvm_command,
};
