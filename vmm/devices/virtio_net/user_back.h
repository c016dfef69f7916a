/* SPDX-License-Identifier: MIT */
/*
 * The back-end's half of vhost-user: it takes a front-end's messages and drives a net_backend as the VMM's
 * virtio-net would. So the program that serves other VMMs runs the very data path that mode=virtio runs in
 * the VMM.
 *
 *      vu_back_init   { vu_back_connect  vu_back_serve ...  vu_back_hang_up }*   vu_back_exit
 *
 * A ring runs while it has its size, addresses in memory that is mapped, and a kick, and is enabled.
 * Whatever changes under a running ring (memory, features, addresses) stops it first; its base is kept, so
 * it goes on where it was. One thread; the net_backend has its own.
 */
#ifndef VMM_DEVICES_VIRTIO_NET_USER_BACK_H
#define VMM_DEVICES_VIRTIO_NET_USER_BACK_H

#include "vmm/devices/virtio_net/backend.h"
#include "vmm/vhost/inflight.h"
#include "vmm/vhost/user_mem.h"

struct vu_back_ring {
	bool has_addr, enabled, running;
	/* the inflight region is new to us: it may know better than SET_VRING_BASE where the ring was */
	bool resume;
	uint32_t num;  /* 0: not set */
	uint32_t base;
	struct vu_vring_addr addr;
	int kick_fd;   /* the front-end's; -1 */
	/* stays open under its number: the front-end's is dup'ed over it while the ring runs */
	int call_fd;
	int err_fd;    /* -1 */
	struct stats_queue stats;
};

struct vu_back {
	struct net_backend *be;
	int sock;              /* -1: no front-end */
	int own_fds;           /* /proc/self/fd, opened while there was a /proc */
	uint64_t features, protocol; /* as the front-end has set them */
	bool started;          /* be->ops->start was called */
	struct vu_mem mem;
	struct gmem *gm;
	struct inflight inflight;
	struct vu_back_ring ring[NET_RINGS_MAX];
};

/* be is open; its front, front_ops and rings become ours. */
int vu_back_init(struct vu_back *b, struct net_backend *be);
void vu_back_exit(struct vu_back *b);
/* Takes the socket over. */
void vu_back_connect(struct vu_back *b, int sock);
/* Everything of this front-end goes: rings, memory, fds. */
void vu_back_hang_up(struct vu_back *b);
/* One message, which is waited for. 1, 0 (the front-end has closed) or -errno: hang up. */
int vu_back_serve(struct vu_back *b);

#endif
