/* SPDX-License-Identifier: MIT */
/*
 * Until when the interrupt for sent frames waits (netq.h, tx_held). A frame sent begins the wait anew, and
 * so does one that was received; and so does the end of the wait, if the guest has not yet dealt with what
 * it received: it takes sent buffers back on the way. So the wait follows the guest's pace, and an
 * interrupt goes out only to a guest that is idle, or after HOLD_PERIODS of them.
 */
#ifndef VMM_DEVICES_VIRTIO_NET_TX_HOLD_H
#define VMM_DEVICES_VIRTIO_NET_TX_HOLD_H

#include "base/util.h"

#define HOLD_PERIODS 8

struct tx_hold {
	uint64_t ns;            /* a period; 0: nothing is held */
	uint64_t until, latest; /* 0: nothing is held now */
};

static inline void tx_hold_begin(struct tx_hold *h, uint64_t now)
{
	if (!h->latest)
		h->latest = now + HOLD_PERIODS * h->ns;
	h->until = MIN(now + h->ns, h->latest);
}

/* What is left of the wait, in ns; 0: it is over. */
static inline uint64_t tx_hold_left(struct tx_hold *h, uint64_t now, bool guest_is_busy)
{
	if (now >= h->until && guest_is_busy)
		tx_hold_begin(h, now);
	if (now >= h->until)
		return 0;
	return h->until - now;
}

static inline void tx_hold_end(struct tx_hold *h)
{
	h->until = h->latest = 0;
}

#endif
