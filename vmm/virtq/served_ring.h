/* SPDX-License-Identifier: MIT */
/*
 * One ring as the half of a device that the guest sees hands it to the half that serves it, which may be in
 * another process. The fds stay the giver's, and live from before the start to after the stop.
 */
#ifndef VMM_VIRTQ_SERVED_RING_H
#define VMM_VIRTQ_SERVED_RING_H

#include "vmm/virtq/virtqueue.h"

struct stats_queue;

struct served_ring {
	bool ready;          /* the driver has set it up; the others are left alone */
	struct virtq_layout layout;
	uint32_t base;       /* virtq_base(): given to start, filled in by stop */
	int kick_fd;         /* eventfd, non-blocking: readable when the guest has rung */
	/* eventfd: a write interrupts the guest (MSI-X: an irqfd, so it costs no exit) */
	int call_fd;
	/* for a successor of this process to go on with a packed ring; or NULL */
	struct virtq_progress *progress;
	struct stats_queue *stats; /* kept by whoever sees the requests; "kicks" too */
};

#endif
