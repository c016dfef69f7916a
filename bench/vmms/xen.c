// SPDX-License-Identifier: MIT
/* A domain of the Xen that this machine is dom0 of, through our own vmm-xen. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "bench/host/paths.h"
#include "bench/host/substrate.h"
#include "bench/vmms/vmm.h"
#include "workloads/workloads.h"

static const char *xen_program(void)
{
	return path_find("vmm-xen");
}

static bool xen_uses_kvm(const char *variant)
{
	(void)variant;
	return false;
}

static char *xen_unusable(void)
{
	char *xl = path_program("xl"), *why = NULL;

	if (host_lacks(NEED_XEN, NULL))
		why = xstrdup("this machine is not dom0 of Xen; use --lab=xen");
	else if (!xl)
		why = xstrdup("xl is not installed; install Debian's xen-system-amd64");
	free(xl);
	return why;
}

/* The variant says what kind of domain it is. */
static int check_kind(const char *variant)
{
	static const char *const kinds[] = {"", "pv", "pvh", "hvm"};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(variant, kinds[i]))
			return 0;
	log_error("--vmm=xen:%s: it is xen:pv, xen:pvh or xen:hvm", variant);
	return -ENOTSUP;
}

static bool is_pv(const char *variant)
{
	return !*variant || !strcmp(variant, "pv");
}

/* A PC's firmware loads the kernel as a boot loader would, and takes no other image. */
static const char *kernel_file(const char *variant)
{
	if (!strcmp(variant, "hvm"))
		return "vmlinuz";
	return "vmlinux";
}

static int check_domain(const struct vmm_want *w)
{
	const char *paging = knobs_get(w->knobs, "paging", NULL);
	int err = check_kind(w->variant);

	if (err)
		return err;
	if (paging && is_pv(w->variant)) {
		log_error("--set paging=%s: a paravirtualised domain has neither; use --vmm=xen:pvh", paging);
		return -ENOTSUP;
	}
	switch (w->path->mode->front) {
	case FRONT_NONE:
	case FRONT_XEN_VIF:
	case FRONT_XEN_VBD:
		return 0;
	default:
		return vmm_refuse_mode(&adapter_xen, w->path->mode);
	}
}

/* The peer's namespace lives as long as our fd of it. */
static void add_card(const struct wire *wire, struct strlist *a)
{
	strlist_addf(a, "--mac=%s", wire->mac);
	strlist_addf(a, "--netns=/proc/%d/fd/%d", getpid(), wire->peer_ns);
}

static int xen_command(const struct vmm_want *w, struct strlist *a)
{
	const char *paging = knobs_get(w->knobs, "paging", NULL);
	int err = check_domain(w);

	if (err)
		return err;
	strlist_add(a, w->program);
	strlist_addf(a, "--type=%s", text_or(text_if(*w->variant, w->variant), "pv"));
	if (paging)
		strlist_addf(a, "--paging=%s", paging);
	strlist_addf(a, "--kernel=%s/%s", w->kernel, kernel_file(w->variant));
	if (w->initrd)
		strlist_addf(a, "--initrd=%s", w->initrd);
	strlist_addf(a, "--cmdline=%s", w->cmdline);
	strlist_addf(a, "--cpus=%u", w->cpus);
	strlist_addf(a, "--mem=%lluM", (unsigned long long)(w->mem_bytes / MIB));
	if (w->log_dir)
		strlist_addf(a, "--dir=%s", w->log_dir);
	if (w->trace)
		strlist_addf(a, "--trace=%s", w->trace);
	if (w->path->mode->front == FRONT_XEN_VIF)
		add_card(&w->path->wire, a);
	if (w->path->mode->front == FRONT_XEN_VBD)
		strlist_addf(a, "--disk=%s", w->path->medium.path);
	return 0;
}

/* The C library loads it when xl ends a thread. */
static const char *const carry[] = {"/lib/x86_64-linux-gnu/libgcc_s.so.1", NULL};

const struct vmm_adapter adapter_xen = {
	.name = "xen",
	.summary = "a domain of the Xen below: xen:pv (default), xen:pvh or xen:hvm; in --lab=xen, or in dom0",
	.channel = AGENT_STDIO,
	.needs = NEED_ROOT | NEED_XEN,
	.traces = true,
	.vcpu_thread = "vcpu", /* which is none of this kernel's */
	.guests = GUEST_LINUX,
	.cmdline = "console=hvc0",
	.transports = "xenbus",
	.lacks = "virtio, VFIO",
	.spellings = vmm_no_spellings,
	.carry = carry,
	.unsealed = "hvm", /* whose QEMU and firmware are in the lab's packages */
	.program = xen_program,
	.version_word = "--version",
	.get = "run make",
	.unusable = xen_unusable,
	.uses_kvm = xen_uses_kvm,
	.command = xen_command,
};
