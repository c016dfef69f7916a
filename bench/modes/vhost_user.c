// SPDX-License-Identifier: MIT
/* virtio-net, served by another process over vhost-user's socket. */
#include "bench/modes/net.h"

const struct mode mode_vhost_user = {
	.name = "vhost-user",
	.kind = MODE_NET,
	.needs = NEED_ROOT | NEED_TAP,
	.guests = GUEST_LINUX | GUEST_MICRO,
	.front = FRONT_VIRTIO_NET,
	.server = SERVER_HELPER,
	.modules = virtio_net_modules,
	.knobs = VIRTIO_NET_KNOBS " in_order",
};
