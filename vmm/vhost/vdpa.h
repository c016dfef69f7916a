/* SPDX-License-Identifier: MIT */
/*
 * vhost-vdpa (/dev/vhost-vdpa-N): a virtio device of the host's kernel, be it hardware or a process behind
 * VDUSE. It is told what a driver tells a device, its status among it, and reads rings and buffers at the
 * guest's own addresses, for which it is given the guest's memory, region by region. The memory must be
 * shared: a process behind VDUSE maps the file.
 */
#ifndef VMM_VHOST_VDPA_H
#define VMM_VHOST_VDPA_H

#include "vmm/vhost/kernel.h"

struct vdpa_info {
	uint32_t queues;    /* at most */
	uint16_t ring_size; /* at most */
};

/* A device of this virtio type, whose every status is ours. 0 or -errno (logged). */
int vdpa_open(struct vhost_kernel *k, const char *path, uint32_t type, const char *dev_name,
	      struct vdpa_info *info);
/* As much of its configuration as there is; zeroes behind. 0 or -errno (logged). */
int vdpa_config(const struct vhost_kernel *k, void *config, uint32_t len);

/* From reset to FEATURES_OK, with the guest's memory. Then rings are given (vhost_kernel_ring_give). */
int vdpa_begin(const struct vhost_kernel *k, uint64_t features, const struct gmem *gm);
/* A ring that was given is used from DRIVER_OK on. */
int vdpa_ring_enable(const struct vhost_kernel *k, unsigned index);
int vdpa_driver_ok(const struct vhost_kernel *k);
/* Reset: when it returns the device touches neither rings nor memory. */
void vdpa_end(const struct vhost_kernel *k, const struct gmem *gm);

#endif
