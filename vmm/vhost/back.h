/* SPDX-License-Identifier: MIT */
/*
 * The back-end's half of vhost-user: it takes a front-end's messages and drives a device's data path as the
 * VMM's own device would, in a program of its own (server.h). Which device, vu_device says:
 *
 *      virtio_net/net_back.h    a net_backend
 *      virtio_blk/blk_back.h    the queues of virtio-blk
 *
 *      vu_back_init   { vu_back_connect  vu_back_serve ...  vu_back_hang_up }*   vu_back_exit
 *
 * A ring runs while it has its size, addresses in memory that is mapped, and a kick, and is enabled.
 * Whatever changes under a running ring (memory, features, addresses) stops it first; its base is kept, so
 * it goes on where it was. One thread; the device has its own.
 */
#ifndef VMM_VHOST_BACK_H
#define VMM_VHOST_BACK_H

#include "vmm/core/vm.h"
#include "vmm/vhost/inflight.h"
#include "vmm/vhost/user_mem.h"
#include "vmm/virtq/served_ring.h"

struct vu_device;

struct vu_device_ops {
	/*
	 * Serve the ready ones of d->rings in the memory d->gm, with the features that the front-end has set.
	 * 0 or -errno (logged); stop follows in both cases.
	 */
	int (*start)(struct vu_device *d, uint64_t features);
	/* All that was taken is given back; after return no ring is touched, and each base is filled in. */
	void (*stop)(struct vu_device *d);
	/* Bytes of its configuration, which lie within it. 0 or -errno. NULL: nothing in it is writable. */
	int (*config_write)(struct vu_device *d, uint32_t off, const uint8_t *data, uint32_t len);
	/* The front-end is gone: what it has written is forgotten. NULL: there is nothing. */
	void (*reset)(struct vu_device *d);
};

/* What is served; but for gm and the rings' content it is filled in before vu_back_init. */
struct vu_device {
	const struct vu_device_ops *ops;
	void *priv;
	uint64_t features;    /* on offer, besides what every vhost-user device offers */
	unsigned queues;      /* what GET_QUEUE_NUM tells */
	unsigned n_rings;     /* at most VU_RINGS_MAX */
	struct served_ring *rings;
	struct gmem *gm;
	const void *config;
	size_t config_len;
};

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
	struct stats_queue own_stats, *stats; /* where nobody has given a place for them: its own */
};

struct vu_back {
	struct vu_device *dev;
	int sock;              /* -1: no front-end */
	int own_fds;           /* /proc/self/fd, opened while there was a /proc */
	uint64_t features, protocol; /* as the front-end has set them */
	bool started;          /* dev->ops->start was called */
	struct vu_mem mem;
	struct gmem *gm;
	struct inflight inflight;
	struct vu_back_ring ring[VU_RINGS_MAX];
};

/* 0 or -errno. dev outlives b. */
int vu_back_init(struct vu_back *b, struct vu_device *dev);
void vu_back_exit(struct vu_back *b);
/* Takes the socket over. */
void vu_back_connect(struct vu_back *b, int sock);
/* Everything of this front-end goes: rings, memory, fds. */
void vu_back_hang_up(struct vu_back *b);
/* One message, which is waited for. 1, 0 (the front-end has closed) or -errno: hang up. */
int vu_back_serve(struct vu_back *b);

/* For the device, on its threads: an interrupt for a ring; a ring that broke the rules, and is left alone. */
void vu_back_call(struct vu_back *b, unsigned ring);
void vu_back_broken(struct vu_back *b, unsigned ring);

#endif
