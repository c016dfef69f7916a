// SPDX-License-Identifier: MIT
/* The machine under Xen: QEMU again, with Debian's hypervisor below a Linux that is its dom0. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "bench/host/paths.h"
#include "bench/lab/lab_erratum.h"
#include "bench/lab/lab_impl.h"
#include "bench/lab/lab_qemu.h"
#include "workloads/workloads.h"

#define HYPERVISOR "xen/xen.elf"
#define BUILT	   "xen/built.elf" /* by setup.sh --xen-shadow, with what Debian's leaves out */

/* What dom0 has of the machine's memory and processors is fixed, so that no guest changes it. */
static const char xen_args[] =
	"console=com1 com1=115200,8n1 loglvl=error guest_loglvl=error dom0_mem=1024M,max:1024M "
	"dom0_max_vcpus=1 dom0_vcpus_pin iommu=0 spec-ctrl=no";

static const char kernel_args[] = "console=hvc0 panic=-1 mitigations=off quiet nokaslr nowatchdog "
				  "random.trust_cpu=on cryptomgr.notests";

static char *xen_missing(char **version)
{
	char *why = lab_qemu_missing(version), *elf = xasprintf("%s/" HYPERVISOR, path_cache());

	if (!why && !file_exists(elf))
		why = xasprintf("no Xen in %s; run %s --xen", path_cache(), path_setup());
	free(elf);
	return why;
}

/* -initrd is a list of modules, each a file and its words: a comma within one is doubled. */
static void add_text(struct strbuf *sb, const char *text)
{
	for (; *text; text++) {
		strbuf_addc(sb, *text);
		if (*text == ',')
			strbuf_addc(sb, ',');
	}
}

static char *hypervisor_path(void)
{
	char *built = xasprintf("%s/" BUILT, path_cache());

	if (file_exists(built))
		return built;
	free(built);
	return xasprintf("%s/" HYPERVISOR, path_cache());
}

static void xen_add_kernel(struct strlist *a, const struct machine_boot *boot)
{
	char *hypervisor = hypervisor_path();
	struct strbuf modules = STRBUF_INIT;

	add_text(&modules, boot->vmlinux);
	strbuf_addc(&modules, ' ');
	add_text(&modules, boot->command_line);
	strbuf_addc(&modules, ',');
	add_text(&modules, boot->initrd);
	strlist_add(a, "-kernel");
	strlist_add(a, hypervisor);
	strlist_add(a, "-append");
	strlist_add(a, xen_args);
	strlist_add(a, "-initrd");
	strlist_add(a, strbuf_str(&modules));
	strbuf_free(&modules);
	free(hypervisor);
}

/* Where a file's name ends its words begin. */
static int xen_start(struct lab *lab, const struct machine_boot *boot)
{
	/* With MONITOR Xen executes MWAIT, which raises an exception here. */
	static const struct qemu_machine xen = {"EPYC-v4,+svm,-monitor", "",
						1 << ERRATUM_DELIVERY | 1 << ERRATUM_CR_READ, xen_add_kernel,
						NULL};

	if (strchr(boot->vmlinux, ' ') || strchr(boot->initrd, ' ')) {
		log_error("lab: %s: Xen's files cannot have a blank in their names; set EXITLAB_CACHE",
			  boot->initrd);
		return -EINVAL;
	}
	return lab_qemu_start(lab, boot, &xen);
}

static const char
	*const modules[] =
		{
			"virtio_pci",	"virtio_console", "9p",
			"9pnet_virtio", "overlay", /* what the lab itself needs */
			"xen-evtchn",	"xen-privcmd",	  "xen-gntdev",
			"xen-gntalloc", "xenfs",	  "xen-netback",
			"xen-blkback",	"tun",		"veth",		  "bridge",
			NULL,
};

static const char *const files[] = {
	"/usr/sbin/xl",
	"/usr/sbin/xenstored",
	"/usr/sbin/xenconsoled",
	"/usr/sbin/xen-init-dom0",
	"/usr/sbin/xentrace",
	"/usr/bin/xenstore-read",
	"/usr/bin/xenstore-write",
	"/etc/xen/xl.conf",
	NULL,
};

const struct machine machine_xen = {
	.name = "xen",
	.substrate = "lab-xen",
	.emulator = "QEMU",
	.summary = "QEMU: Debian's Xen, whose dom0 the command runs in, your files",
	.has = NEED_ROOT | NEED_TAP | NEED_LAB | NEED_XEN,
	.mem_mib = 3072,
	.channel = LAB_TALKS,
	.deterministic_channel = LAB_LEAVES,
	.modules = modules,
	.packages = "xen/root",
	.files = files,
	.kernel_args = kernel_args,
	.missing = xen_missing,
	.start = xen_start,
};
