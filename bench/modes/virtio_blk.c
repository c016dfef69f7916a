// SPDX-License-Identifier: MIT
/* virtio-blk, served by the VMM. */
#include "bench/modes/block.h"

const struct mode mode_virtio_blk = {
	.name = "virtio-blk",
	.kind = MODE_BLOCK,
	.guests = GUEST_LINUX | GUEST_MICRO,
	.front = FRONT_VIRTIO_BLK,
	.server = SERVER_VMM,
	.modules = virtio_blk_modules,
	.knobs = BLOCK_KNOBS " queues ioeventfd ring event_idx indirect in_order irq notify",
	.make = block_make,
};
