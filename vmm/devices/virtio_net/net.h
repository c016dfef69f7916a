/* SPDX-License-Identifier: MIT */
/* The front half of virtio-net: between net.c (device) and net_ctrl.c (control queue). */
#ifndef VMM_DEVICES_VIRTIO_NET_NET_H
#define VMM_DEVICES_VIRTIO_NET_NET_H

#include <linux/virtio_net.h>
#include "vmm/devices/virtio_net/backend.h"
#include "vmm/virtio/intx.h"

#define NET_CTRL_SIZE 64

struct vnet {
	struct virtio_dev vd;
	struct net_backend be;
	struct virtio_net_config config;
	uint8_t first_mac[6]; /* the device's own: a driver's is forgotten with a reset */
	unsigned pairs;
	struct virtq ctrl;
	struct net_filter filter;
	struct virtio_intx intx;
	char q_name[VIRTIO_QUEUES_MAX][8];
};

/* The values of mode=, the first is the default. Tests put one of their own behind them. */
#define VNET_BACKENDS 4
extern const struct net_backend_ops *vnet_backends[VNET_BACKENDS];

/* Index of the control queue; -1 when it was not negotiated (5.1.2: it follows the pairs in use). */
int vnet_ctrl_queue(const struct vnet *net);
/* Serve the control queue; under the device's lock. */
void vnet_ctrl_run(struct vnet *net);
void vnet_filter_reset(struct vnet *net);

#endif
