/* SPDX-License-Identifier: MIT */
/*
 * mode=vhost-user: another process moves the packets. Guest memory is given to it as the memfd behind it,
 * the rings' kicks and calls as the eventfds that KVM holds. In three files:
 *
 *      be_vhost_user.c  the net_backend that virtio-net sees
 *      front_conn.c     the connection: joining a back-end, watching it, losing it, joining again
 *      front_ring.c     rings: handing them to a back-end, taking them back, knowing where a dead one had
 *                     come to
 *
 * When the back-end dies, the guest sees its link go down and lives on; a timer tries to connect again, and
 * when there is a back-end the rings go on where the used index in memory says that the dead one had come
 * to. That holds because a network back-end finishes chains in the order it took them: whatever lies after
 * the used index is served again. A packed ring has no such index; back-ends keep it in the inflight
 * region, which we hold for the next one.
 *
 * f->lock guards everything that both sides use: calls of the front half, and the watch thread. Only the
 * watch thread opens and closes the connection after open(); others mark it dead. All functions below want
 * it held.
 */
#ifndef VMM_DEVICES_VIRTIO_NET_FRONT_H
#define VMM_DEVICES_VIRTIO_NET_FRONT_H

#include <linux/virtio_net.h>
#include <pthread.h>
#include "vmm/core/evloop.h"
#include "vmm/devices/virtio_net/backend.h"
#include "vmm/vhost/user_link.h"

struct front;

struct front_ring {
	struct front *f;
	unsigned index;
	int err_fd;
	bool running; /* handed to the back-end, if there is one */
	bool broken;
};

struct front {
	struct net_backend *be;
	char *path;
	struct vu_broker broker;
	struct evloop *watch;
	int timer_fd;
	pthread_mutex_t lock;
	struct vu_link link;
	int channel;       /* our end of the back-end's own requests */
	bool started;
	uint64_t features; /* negotiated with the guest */
	unsigned n_rings, active_pairs;
	int inflight_fd;   /* packed rings: what tells a new back-end how far the old one was; -1 */
	struct vu_inflight inflight;
	struct front_ring ring[NET_RINGS_MAX];
};

/* ---- front_conn.c ---- */

/* Watch thread, timer and the rings' error eventfds. 0 or -errno (logged). The one that needs no lock. */
int front_open_watch(struct front *f);
/* Connect; the features promised to the guest must (still) be there; a started device is handed over. */
int front_join(struct front *f, bool again);
/* MTU and link status of the back-end. False when it does not tell. */
bool front_read_config(struct front *f, struct virtio_net_config *c);

/* ---- front_ring.c ---- */

/* Features, memory and all rings, to a fresh back-end. */
int front_hand_over(struct front *f);
/*
 * A dead connection is no error of a ring: -ENOTCONN, and it is handed over again when there is a back-end.
 */
int front_ring_hand_over(struct front *f, unsigned ring);
/* Stop a ring and learn its base. */
void front_ring_take_back(struct front *f, unsigned ring);
/* The base of a ring whose back-end can no longer be asked. */
void front_ring_recover(struct front *f, unsigned ring);
/* Pairs in use are enabled, the others not. */
int front_ring_enable(struct front *f, unsigned ring);
/* Forget how far packed rings were: they start anew. */
void front_drop_inflight(struct front *f);
void front_ring_break(struct front *f, unsigned ring, const char *why);
/* Kicks and calls may have been lost with the old process: give each once more. */
void front_wake_rings(struct front *f);

#endif
