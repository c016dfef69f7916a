/* SPDX-License-Identifier: MIT */
/* What the network modes share: drivers, knobs, and the wires to the peer. */
#ifndef BENCH_MODES_NET_H
#define BENCH_MODES_NET_H

#include "bench/modes/path.h"

extern const char *const virtio_net_modules[];
#define VIRTIO_NET_KNOBS "ring event_idx indirect queues irq ioeventfd notify offload mrg_rxbuf"

/* mode->make of a TAP: to the peer's namespace, or with want->real_wire to a switch with a card. */
int net_make_tap(struct device_path *p, const struct path_want *want);
/* The cards of the real wire. */
struct net_cards {
	char *own, *peer; /* peer: NULL when another machine has it */
};
/* 0 or -ENODEV (logged). Free in both cases. */
int net_find_cards(const struct path_want *want, struct net_cards *c);
void net_free_cards(struct net_cards *c);
/*
 * The card at the other end. In the lab it is the second one, which is not pf; else another machine has
 * it, and *nic is NULL. 0 or -ENODEV (logged). Caller frees.
 */
int net_peer_card(const struct path_want *want, const char *pf, char **nic);

#endif
