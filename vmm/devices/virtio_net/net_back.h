/* SPDX-License-Identifier: MIT */
/*
 * A net_backend as the device of a vhost-user back-end: the program that serves other VMMs runs the very
 * data path that mode=virtio runs in the VMM.
 */
#ifndef VMM_DEVICES_VIRTIO_NET_NET_BACK_H
#define VMM_DEVICES_VIRTIO_NET_NET_BACK_H

#include "vmm/devices/virtio_net/backend.h"
#include "vmm/vhost/back.h"

struct net_back {
	struct vu_back vu;
	struct vu_device dev;
	struct net_backend *be;
	struct virtio_net_config config;
};

/* be is open; its front, front_ops and rings become ours. As vu_back_init; vu_back_exit(&b->vu) ends it. */
int net_back_init(struct net_back *b, struct net_backend *be);

#endif
