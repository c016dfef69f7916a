/* SPDX-License-Identifier: MIT */
/*
 * virtio-net in two halves. The front half (net.c) is what the guest sees: PCI transport, feature
 * negotiation, configuration space, the control queue, interrupts. The back half moves packets between the
 * rings and the world, and is one of:
 *
 *      "virtio"      threads of this process and a TAP     be_virtio.c
 *      "vhost"       the kernel's vhost-net and a TAP      be_vhost.c
 *      "vhost-user"  another process, over a socket        be_vhost_user.c
 *
 * Life of a backend:  open  ( start  { set_*, ring_stop, ring_start }*  stop )*  close
 *
 * Rings are numbered as in virtio-net: 2i receives (to the guest) and 2i+1 transmits for queue pair i. All
 * calls come from one thread at a time (under the device's lock). A callback in net_front_ops may come from
 * any thread and takes no lock of the device, so a backend may make it while the front half waits for it in
 * stop.
 *
 * Errors: -errno, logged by the backend.
 */
#ifndef VMM_DEVICES_VIRTIO_NET_BACKEND_H
#define VMM_DEVICES_VIRTIO_NET_BACKEND_H

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include "vmm/core/dev_opts.h"
#include "vmm/core/vm.h"
#include "vmm/net/net_hdr.h"
#include "vmm/virtq/served_ring.h"

#define NET_PAIRS_MAX 8
#define NET_RINGS_MAX (2 * NET_PAIRS_MAX)

struct net_backend;

struct net_front_ops {
	/*
	 * Interrupt for a ring, if the guest has given it a vector: same as a write to call_fd, at times
	 * cheaper.
	 */
	void (*call)(void *front, unsigned ring);
	/*
	 * The ring broke the rules: the device goes to NEEDS_RESET. The backend has stopped serving that
	 * ring.
	 */
	void (*ring_broken)(void *front, unsigned ring);
	/* The other side went away or came back (vhost-user): shown as link status. */
	void (*link)(void *front, bool up);
};

/* What the guest's control queue asked of the receive filter. */
struct net_filter {
	bool promisc, allmulti, alluni, nomulti, nouni, nobcast;
	uint8_t mac[6];
	bool vlan_on; /* CTRL_VLAN negotiated: only VLANs in the map (and untagged frames) pass */
	unsigned n_uni, n_multi;
	bool uni_overflow, multi_overflow; /* the table was larger than ours: take all */
	uint8_t uni[32][6], multi[32][6];
	uint64_t vlan[64];     /* bitmap of 4096 */
};

struct net_backend_ops {
	const char *name; /* value of mode= */
	/*
	 * Parse the backend's own keys ("tap", "fd", "path", "poll_us", ...), open what is needed for
	 * be->pairs queue pairs, set be->features. Fails rather than falling back. -EINVAL: bad options;
	 * others: the host lacks something. close is called also after a failed open.
	 */
	int (*open)(struct net_backend *be, const struct dev_opts *opts);
	void (*close)(struct net_backend *be);
	/* DRIVER_OK: serve these n rings (be->rings) with the negotiated features. */
	int (*start)(struct net_backend *be, uint64_t features, unsigned n);
	/* After return no ring is touched and no callback made; ring.base is filled in. */
	void (*stop)(struct net_backend *be);
	/* One ring of a started device (queue reset). Both NULL: VIRTIO_F_RING_RESET is not offered. */
	int (*ring_start)(struct net_backend *be, unsigned ring);
	void (*ring_stop)(struct net_backend *be, unsigned ring);
	/*
	 * The guest uses this many pairs (VIRTIO_NET_CTRL_MQ): 1 after start. NULL: VIRTIO_NET_F_MQ is not
	 * offered.
	 */
	int (*set_pairs)(struct net_backend *be, unsigned pairs);
	/*
	 * Offloads that the guest accepts on receive: VIRTIO_NET_F_GUEST_* bits. Called after start and on
	 * CTRL_GUEST_OFFLOADS.
	 */
	int (*set_offloads)(struct net_backend *be, uint64_t guest_features);
	/* Optional. NULL: the guest receives all that comes, as behind a switch that floods. */
	void (*set_filter)(struct net_backend *be, const struct net_filter *f);
};

struct net_backend {
	const struct net_backend_ops *ops;
	void *priv;
	/* Set by the front half before open. */
	const char *dev_name; /* for messages and thread names */
	struct vm *vm;
	struct threads *threads; /* what its event loops are made with */
	struct gmem *gm;
	unsigned pairs;
	const struct net_front_ops *front_ops;
	void *front;
	/*
	 * Set by open: the VIRTIO_NET_F_* and VIRTIO_F_* bits that it can serve, out of
	 * NET_BACKEND_FEATURES. The front half adds what is its own alone (MAC, STATUS, CTRL_*, MQ,
	 * ANNOUNCE, RING_RESET, VERSION_1).
	 */
	uint64_t features;
	uint16_t mtu; /* 0: unknown, VIRTIO_NET_F_MTU is not offered */
	/* Set by the front half before start. */
	struct served_ring rings[NET_RINGS_MAX];
};

/* Bits that depend on the backend. */
#define NET_BACKEND_FEATURES                                                                       \
	(1ull << VIRTIO_NET_F_CSUM | 1ull << VIRTIO_NET_F_GUEST_CSUM |                             \
	 1ull << VIRTIO_NET_F_CTRL_GUEST_OFFLOADS | 1ull << VIRTIO_NET_F_GUEST_TSO4 |              \
	 1ull << VIRTIO_NET_F_GUEST_TSO6 | 1ull << VIRTIO_NET_F_GUEST_ECN |                        \
	 1ull << VIRTIO_NET_F_HOST_TSO4 | 1ull << VIRTIO_NET_F_HOST_TSO6 |                         \
	 1ull << VIRTIO_NET_F_HOST_ECN | 1ull << VIRTIO_NET_F_MRG_RXBUF |                          \
	 1ull << VIRTIO_RING_F_INDIRECT_DESC | 1ull << VIRTIO_RING_F_EVENT_IDX |                   \
	 1ull << VIRTIO_F_RING_PACKED | 1ull << VIRTIO_F_IN_ORDER | 1ull << NET_F_GUEST_USO4 |     \
	 1ull << NET_F_GUEST_USO6 | 1ull << NET_F_HOST_USO)

extern const struct net_backend_ops net_backend_virtio;
extern const struct net_backend_ops net_backend_vhost;
extern const struct net_backend_ops net_backend_vhost_user;

#endif
