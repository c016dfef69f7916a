/* SPDX-License-Identifier: MIT */
/* vmm's command line. */
#ifndef VMM_ARGS_H
#define VMM_ARGS_H

#include "base/opts.h"
#include "vmm/boot/boot.h"

struct args {
	const char *kernel, *initrd, *cmdline, *format, *console, *agent, *stats, *irqchip, *sandbox;
	uint64_t cpus, mem;
	struct opt_list net, disk, vfio, device;
	bool unsafe_interrupts, no_reboot, share_memory, version, sandboxed;
	int stats_fd; /* of --stats, else -1 */
};

/* 0; 1: all was said (--help, --version); -EINVAL: wrong, one message logged. */
int args_parse(struct args *a, int argc, char **argv);
void args_free(struct args *a);

enum boot_format args_format(const struct args *a);
/* vhost-user hands guest memory to another process: only a memfd can be. */
/* Is there a device that another process serves? */
bool args_vhost_user(const struct args *a);
bool args_share_memory(const struct args *a);

#endif
