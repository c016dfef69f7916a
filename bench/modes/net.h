/* SPDX-License-Identifier: MIT */
/* What the network modes share. */
#ifndef BENCH_MODES_NET_H
#define BENCH_MODES_NET_H

#include "bench/modes/mode.h"

extern const char *const virtio_net_modules[];
#define VIRTIO_NET_KNOBS "ring event_idx indirect queues irq ioeventfd notify offload mrg_rxbuf"

#endif
