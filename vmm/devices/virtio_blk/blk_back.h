/* SPDX-License-Identifier: MIT */
/*
 * The queues of virtio-blk as the device of a vhost-user back-end: vhost-user-blk serves a medium to other
 * VMMs with the very code that mode=virtio-blk runs in the VMM. Requests are given back in the order in
 * which they were taken, so that a successor of a killed back-end knows which have ended.
 */
#ifndef VMM_DEVICES_VIRTIO_BLK_BLK_BACK_H
#define VMM_DEVICES_VIRTIO_BLK_BLK_BACK_H

#include "vmm/devices/virtio_blk/blk.h"
#include "vmm/vhost/back.h"

struct blk_back {
	struct vu_back vu;
	struct vu_device dev;
	struct vblk blk;
	struct served_ring rings[VBLK_QUEUES_MAX];
	/* The VMM's statistics page, which it makes after we have started: -1, NULL. */
	int stats_fd;
	struct stats_page *page;
};

/*
 * Options as of mode=virtio-blk; size= is the smallest ring that a front-end may use, whatever it asks for.
 * stats_fd: count there what the queues "reqN" of the VMM's page would; -1. 0 or -errno (logged);
 * blk_back_exit in both cases.
 */
int blk_back_init(struct blk_back *b, struct threads *threads, const struct dev_opts *opts, int stats_fd);
void blk_back_exit(struct blk_back *b);

#endif
