// SPDX-License-Identifier: MIT
/* How a VMM's adapter looks, here of our own VMM as a stranger's: to be copied. Compiled, and in no table. */
#include <errno.h>

#include "base/log.h"
#include "bench/host/paths.h"
#include "bench/vmms/vmm.h"

extern const struct vmm_adapter adapter_skeleton;

static const char *skeleton_program(void)
{
	return path_tool("vmm");
}

static int skeleton_command(const struct vmm_want *w, struct strlist *a)
{
	if (vmm_refuse_variant(&adapter_skeleton, w))
		return -ENOTSUP;
	if (w->path->mode->front != FRONT_NONE)
		return vmm_refuse_mode(&adapter_skeleton, w->path->mode);
	strlist_add(a, w->program);
	strlist_addf(a, w->micro ? "--kernel=%s" : "--kernel=%s/vmlinux", w->kernel);
	if (w->initrd)
		strlist_addf(a, "--initrd=%s", w->initrd);
	strlist_addf(a, "--cmdline=%s", w->cmdline);
	strlist_addf(a, "--cpus=%u", w->cpus);
	strlist_addf(a, "--mem=%lluM", (unsigned long long)(w->mem_bytes / MIB));
	strlist_addf(a, "--console=%s", w->console_path);
	strlist_addf(a, "--agent=fd=%d", w->agent_fd);
	strlist_add(a, "--no-reboot");
	return 0;
}

const struct vmm_adapter adapter_skeleton = {
	.name = "skeleton",
	.summary = "one line for bench list",
	.vcpu_thread = "vcpu",
	.lacks = "every device",
	.program = skeleton_program,
	.version_word = "--version",
	.get = "run make",
	.command = skeleton_command,
};
