// SPDX-License-Identifier: MIT
/* How a mode looks: to be copied (CONTRIBUTING.md). Compiled, and in no table. */
#include "bench/modes/net.h"

/* What the kernel does not clean up by itself when we are killed goes through base/journal.h. */
static int skeleton_make(struct device_path *p, const struct path_want *want)
{
	return net_make_tap(p, want);
}

const struct mode mode_skeleton = {
	.name = "skeleton",
	.kind = MODE_NET,
	.needs = NEED_ROOT | NEED_TAP,
	.guests = GUEST_LINUX | GUEST_MICRO,
	.front = FRONT_VIRTIO_NET, /* a new device: one more front_end, which VMMs then learn to make */
	.server = SERVER_VMM,
	.modules = virtio_net_modules,
	.knobs = VIRTIO_NET_KNOBS,
	.make = skeleton_make,
};
