/* SPDX-License-Identifier: MIT */
/*
 * vhost: the rings of a device are served by the host's kernel (/dev/vhost-net, /dev/vhost-scsi). It reads
 * them through our address space, takes the guest's kicks from ioeventfds and raises interrupts through
 * irqfds, so that this process sees no request at all.
 *
 * The worker of a device is made by VHOST_SET_OWNER and is named "vhost-PID": a kernel thread before Linux
 * 6.4, a thread of this process from then on. Either way its CPU time is this VM's.
 */
#ifndef VMM_VHOST_KERNEL_H
#define VMM_VHOST_KERNEL_H

#include <linux/vhost.h>
#include "vmm/core/gmem.h"
#include "vmm/virtq/served_ring.h"

/* What is opened, and what is said when it is not there. */
struct vhost_kernel_kind {
	const char *path;    /* "/dev/vhost-net" */
	const char *mode;    /* of the command line, in messages */
	const char *module;
	const char *instead; /* the mode that needs none */
};

struct vhost_kernel {
	int fd;
	const char *dev_name;
	uint64_t features; /* of the kernel */
	bool guest_addresses; /* rings lie where the guest says, and not where we have mapped them */
};

/* Opened, owned, its features asked for. 0 or -errno (logged). */
int vhost_kernel_open(struct vhost_kernel *k, const struct vhost_kernel_kind *kind, const char *dev_name);

/* 0 or -errno (logged, with the request's name). */
int vhost_kernel_call(const struct vhost_kernel *k, unsigned long request, const char *name, void *arg);
#define VHOST_CALL(k, request, arg) vhost_kernel_call(k, request, #request, arg)

/* Features that the guest has taken, and all of its memory. 0 or -errno (logged). */
int vhost_kernel_set_up(const struct vhost_kernel *k, uint64_t features, const struct gmem *gm);
/*
 * Ring number index of the device; err_fd is written by the kernel when it breaks the rules. 0, -EFAULT for a
 * ring that is misaligned or outside RAM, which is the guest's fault and the device's to tell, or -errno
 * (logged).
 */
int vhost_kernel_ring_give(const struct vhost_kernel *k, unsigned index, const struct served_ring *r,
			   const struct gmem *gm, int err_fd);
/* The ring is not served any more: its base is filled in. */
void vhost_kernel_ring_take(const struct vhost_kernel *k, unsigned index, struct served_ring *r);
/* Of a ring that is not served any more: its kicks and calls. */
void vhost_kernel_ring_drop(const struct vhost_kernel *k, unsigned index);

#endif
