// SPDX-License-Identifier: MIT
/* virtio-net, served by the VMM. */
#include "bench/modes/net.h"

const struct mode mode_virtio = {
	.name = "virtio",
	.kind = MODE_NET,
	.needs = NEED_ROOT | NEED_TAP,
	.guests = GUEST_LINUX | GUEST_MICRO,
	.front = FRONT_VIRTIO_NET,
	.server = SERVER_VMM,
	.modules = virtio_net_modules,
	.knobs = VIRTIO_NET_KNOBS " in_order poll_us coalesce_us",
	.make = net_make_tap,
};
