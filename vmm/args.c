// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vmm/args.h"
#include "vmm/sandbox/sandbox.h"
#include "vmm/stats_page.h"
#include "version.h"

#define MAX_MEM (128 * GIB) /* below the window of large BARs */
#define MAX_FD  (1u << 20)

static const struct opt opts[] = {
	{"kernel", 'k', OPT_STR, offsetof(struct args, kernel), "FILE",
	 "vmlinux (PVH), bzImage, multiboot or flat image"},
	{"initrd", 'i', OPT_STR, offsetof(struct args, initrd), "FILE",
	 "initial RAM disk, or the multiboot module"},
	{"cmdline", 'a', OPT_STR, offsetof(struct args, cmdline), "TEXT", "the kernel's command line"},
	{"format", 0, OPT_STR, offsetof(struct args, format), "auto|bzimage|pvh|multiboot|flat",
	 "what the kernel is; flat is loaded and entered at 1 MiB"},
	{"cpus", 'c', OPT_U64, offsetof(struct args, cpus), "N", "vCPUs, 1 to 8 (default 1)"},
	{"mem", 'm', OPT_SIZE, offsetof(struct args, mem), "SIZE", "guest memory (default 512M)"},
	{"net", 'n', OPT_LIST, offsetof(struct args, net), "K=V,...",
	 "network card: mode=e1000|virtio|vhost|vhost-user and its knobs"},
	{"vfio", 0, OPT_LIST, offsetof(struct args, vfio), "ADDR[,K=V]",
	 "assign a host PCI device: 0000:01:10.0"},
	{"allow-unsafe-interrupts", 0, OPT_FLAG, offsetof(struct args, unsafe_interrupts), "",
	 "--vfio also where interrupts are not remapped"},
	{"device", 'd', OPT_LIST, offsetof(struct args, device), "NAME[,K=V]", "any PCI device by its name"},
	{"disk", 0, OPT_LIST, offsetof(struct args, disk), "FILE[,K=V]",
	 "disk on a raw image or block device, mode=virtio-blk|nvme|ide, or mode=vhost-user-blk|vhost-scsi; and its knobs"},
	{"console", 0, OPT_STR, offsetof(struct args, console), "WHERE",
	 "COM1: stdio (default; Ctrl-A x ends the guest), none or a file"},
	{"agent", 0, OPT_STR, offsetof(struct args, agent), "WHERE",
	 "COM2: none (default), stdio, fd=N, unix:PATH or a file"},
	{"stats", 0, OPT_STR, offsetof(struct args, stats), "fd=N",
	 "statistics page (vmm/stats_page.h) in this memfd"},
	{"irqchip", 0, OPT_STR, offsetof(struct args, irqchip), "kernel|split",
	 "where PIC and IOAPIC are (default kernel)"},
	{"share-memory", 0, OPT_FLAG, offsetof(struct args, share_memory), "",
	 "guest memory in a memfd (vhost-user turns it on)"},
	{"no-reboot", 0, OPT_FLAG, offsetof(struct args, no_reboot), "",
	 "a guest's reset ends the run, status 0"},
	{"sandbox", 0, OPT_STR, offsetof(struct args, sandbox), "on|off",
	 "before the guest runs, give up user, capabilities, namespaces, paths and most system calls (default on)"},
	{"version", 0, OPT_FLAG, offsetof(struct args, version), "", "print the version"},
	OPT_END,
};

static const struct command command = {
	.name = "",
	.summary = "run a virtual machine on KVM, instrumented",
	.details =
		"Exit status: 0 the guest powered off (or reset, with --no-reboot); 1 it crashed (triple fault, panic);\n"
		"2 bad arguments; 3 this host lacks something; a debug-exit write of v gives (v << 1) | 1.",
	.opts = opts,
	.examples =
		"vmm --kernel vmlinux --initrd root.cpio.gz --cmdline 'console=ttyS0' --mem 512M\n"
		"vmm --kernel micro.elf --cmdline 'test' --console none --agent fd=5\n"
		"vmm --kernel vmlinux --initrd root.cpio --cpus 2 --net mode=vhost,tap=t0\n"
		"vmm --kernel vmlinuz --initrd initrd.img --cmdline 'root=/dev/vda1 console=ttyS0' --disk debian.raw",
};

static const char *const formats[] = {"auto", "bzimage", "pvh", "multiboot", "flat", NULL};

enum boot_format args_format(const struct args *a)
{
	int i = 0;

	while (strcmp(formats[i], a->format) != 0)
		i++;
	return (enum boot_format)i;
}

static bool list_has(const struct opt_list *l, const char *text)
{
	for (size_t i = 0; i < l->n; i++)
		if (strstr(l->item[i], text))
			return true;
	return false;
}

bool args_vhost_user(const struct args *a)
{
	return list_has(&a->net, "mode=vhost-user") || list_has(&a->disk, "mode=vhost-user-blk");
}

bool args_share_memory(const struct args *a)
{
	return a->share_memory || args_vhost_user(a) || list_has(&a->disk, "mode=vdpa");
}

static int parse_stats(struct args *a)
{
	uint64_t fd;

	a->stats_fd = -1;
	if (!a->stats)
		return 0;
	if (strncmp(a->stats, "fd=", 3) != 0 || parse_u64(a->stats + 3, &fd) || fd > MAX_FD) {
		log_error("--stats=%s: want fd=N, an open memfd", a->stats);
		return -EINVAL;
	}
	a->stats_fd = (int)fd;
	return 0;
}

static int check_args(const struct args *a)
{
	if (!a->kernel)
		log_error("no kernel: want --kernel FILE; see --help");
	else if (a->cpus < 1 || a->cpus > STATS_VCPUS)
		log_error("--cpus=%" PRIu64 ": want 1 to %d", a->cpus, STATS_VCPUS);
	else if (a->mem > MAX_MEM)
		log_error("--mem=%" PRIu64 "M: at most %" PRIu64 "G", a->mem / MIB,
			  (uint64_t)(MAX_MEM / GIB));
	else
		return 0;
	return -EINVAL;
}

int args_parse(struct args *a, int argc, char **argv)
{
	int n = argc, err;

	*a = (struct args){.cmdline = "", .format = "auto", .console = "stdio", .agent = "none",
			   .irqchip = "kernel", .sandbox = SANDBOX_DEFAULT, .cpus = 1, .mem = 512 * MIB};
	err = opts_parse("vmm", &command, &n, argv, a);
	if (err)
		return err;
	if (a->version) {
		puts("vmm " EXITLAB_VERSION);
		return 1;
	}
	if (n > 1) {
		log_error("%s: not an option; see --help", argv[1]);
		return -EINVAL;
	}
	err = check_args(a);
	if (err)
		return err;
	a->sandboxed = !strcmp(a->sandbox, "on");
	return parse_stats(a);
}

void args_free(struct args *a)
{
	free(a->net.item);
	free(a->disk.item);
	free(a->vfio.item);
	free(a->device.item);
}
