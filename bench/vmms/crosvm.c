// SPDX-License-Identifier: MIT
/* crosvm, its devices in its own process. */
#include <errno.h>

#include "base/strbuf.h"
#include "bench/vmms/vmm.h"

static const char *crosvm_program(void)
{
	return "crosvm";
}

static int add_net(const struct vmm_want *w, struct strlist *a)
{
	struct strbuf sb = STRBUF_INIT;
	int err = 0;

	strbuf_addf(&sb, "tap-fd=%d,mac=%s", w->path->wire.tap_fd[0], w->path->wire.mac);
	if (w->path->mode->server == SERVER_KERNEL)
		strbuf_adds(&sb, ",vhost-net=[device=/dev/vhost-net]");
	else if (w->path->mode->server != SERVER_VMM)
		err = vmm_refuse_mode(&adapter_crosvm, w->path->mode);
	if (!err)
		err = vmm_spell_knobs(&adapter_crosvm, w, &sb);
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
		strlist_add(a, "--vfio");
		strlist_addf(a, "/sys/bus/pci/devices/%s", w->path->sriov.vf_addr);
		return 0;
	default:
		return vmm_refuse_mode(&adapter_crosvm, w->path->mode);
	}
}

static int crosvm_command(const struct vmm_want *w, struct strlist *a)
{
	int err;

	if (vmm_refuse_variant(&adapter_crosvm, w))
		return -ENOTSUP;
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
	err = add_device(w, a);
	strlist_addf(a, "%s/vmlinux", w->kernel);
	return err;
}

const struct vmm_adapter adapter_crosvm = {
	.name = "crosvm",
	.summary = "crosvm without its sandbox, virtio-pci",
	.channel = AGENT_STDIO,
	.vcpu_thread = "crosvm_vcpu",
	.guests = GUEST_LINUX,
	.spellings = vmm_no_spellings,
	.program = crosvm_program,
	.version_word = "version",
	.get = VMM_GET("EXITLAB_CROSVM", "crosvm"),
	.command = crosvm_command,
};
