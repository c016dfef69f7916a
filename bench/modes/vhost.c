// SPDX-License-Identifier: MIT
/* virtio-net, served by the kernel's vhost-net. */
#include "bench/modes/net.h"

const struct mode mode_vhost = {
	.name = "vhost",
	.kind = MODE_NET,
	.needs = NEED_ROOT | NEED_TAP | NEED_VHOST,
	.guests = GUEST_LINUX | GUEST_MICRO,
	.front = FRONT_VIRTIO_NET,
	.server = SERVER_KERNEL,
	.modules = virtio_net_modules,
	.knobs = VIRTIO_NET_KNOBS " poll_us",
	.make = net_make_tap,
};
