// SPDX-License-Identifier: MIT
/* crosvm, its devices in its own process. */
#include <errno.h>

#include "base/strbuf.h"
#include "bench/vmms/vmm.h"

static const char *crosvm_program(void)
{
	return "crosvm";
}

static int net_text(const struct vmm_want *w, struct strbuf *sb)
{
	strbuf_addf(sb, "tap-fd=%d,mac=%s", w->path->wire.tap_fd[0], w->path->wire.mac);
	if (w->path->mode->server == SERVER_KERNEL)
		strbuf_adds(sb, ",vhost-net=[device=/dev/vhost-net]");
	else if (w->path->mode->server != SERVER_VMM)
		return vmm_refuse_mode(&adapter_crosvm, w->path->mode);
	return 0;
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
	err = vmm_add_card(&adapter_crosvm, w, a, net_text, (const char *[]){"--vfio", ""});
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
