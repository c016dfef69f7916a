/* SPDX-License-Identifier: MIT */
/*
 * The VMM's half of vhost-user: a device whose rings another process serves. Guest memory is given to it as
 * the memfd behind it, the rings' kicks and calls as the eventfds that KVM holds. In three files:
 *
 *      front.c       what the device calls
 *      front_conn.c  the connection: joining a back-end, watching it, losing it, joining again
 *      front_ring.c  rings: handing them to a back-end, taking them back, knowing where a dead one had
 *                    come to
 *
 * When the back-end dies, the device is told and the guest lives on; a timer tries to connect again, and
 * when there is a back-end the rings go on. Where the dead one had come to:
 *
 *      chains end in the order they were taken     the used index in memory; whatever lies after it is
 *      (network)                                   served again. A packed ring has no such index:
 *      in any order (f->any_order, a disk), or     the inflight region, which back-ends keep, and we hold
 *      a packed ring                               for the next one. Without it, only an idle ring goes on
 *
 * f->lock guards everything that both sides use: calls of the device, and the watch thread. Only the watch
 * thread opens and closes the connection after vu_front_open; others mark it dead. The functions from
 * vu_front_join on want it held; those before take it.
 */
#ifndef VMM_VHOST_FRONT_H
#define VMM_VHOST_FRONT_H

#include <pthread.h>
#include "vmm/core/dev_opts.h"
#include "vmm/core/evloop.h"
#include "vmm/vhost/user_link.h"
#include "vmm/virtq/served_ring.h"

struct vu_front;

/* What the device is told, with the lock held. */
struct vu_front_ops {
	/* A back-end was joined: does it suit, and (again) is it what the last was? 0 or -errno (logged). */
	int (*joined)(struct vu_front *f, bool again);
	/* It went away, or there is one again. */
	void (*link)(struct vu_front *f, bool up);
	/* The back-end says that its configuration has changed. */
	void (*config_changed)(struct vu_front *f);
	/* A ring that the guest has set up: shall it be enabled? NULL: each. */
	bool (*wants)(struct vu_front *f, unsigned ring);
	/* The ring is not served any more: the device needs a reset. */
	void (*ring_broken)(struct vu_front *f, unsigned ring);
};

struct vu_front_ring {
	struct vu_front *f;
	unsigned index;
	int err_fd;
	bool running; /* handed to the back-end, if there is one */
	bool broken;
};

struct vu_front {
	/* The device's, set after vu_front_init and before vu_front_open. */
	const struct vu_front_ops *ops;
	void *priv;
	const char *dev_name;    /* for messages and thread names */
	const char *without;     /* how the guest fares without a back-end, for a message */
	struct threads *threads;
	struct gmem *gm;
	struct served_ring *rings;
	unsigned max_rings;
	bool any_order;
	uint64_t promised;       /* features that a back-end must have once the first has been joined */
	/* Ours. */
	char *path;
	struct vu_broker broker;
	struct evloop *watch;
	int timer_fd;
	pthread_mutex_t lock;
	struct vu_link link;
	int channel;       /* our end of the back-end's own requests */
	bool started;
	uint64_t features; /* negotiated with the guest */
	unsigned n_rings;
	int inflight_fd;   /* what tells a new back-end how far the old one was; -1 */
	struct vu_inflight inflight;
	struct vu_front_ring ring[VU_RINGS_MAX];
};

/* ---- front.c ---- */

void vu_front_init(struct vu_front *f);
/* path= of the options; joins the back-end. -EINVAL: bad options; -ENODEV: nobody is there (logged). */
int vu_front_open(struct vu_front *f, const struct dev_opts *opts);
void vu_front_close(struct vu_front *f);
/* While there is no back-end these succeed, and all is handed over when one comes. */
int vu_front_start(struct vu_front *f, uint64_t features, unsigned n_rings);
void vu_front_stop(struct vu_front *f);
int vu_front_ring_start(struct vu_front *f, unsigned ring);
void vu_front_ring_stop(struct vu_front *f, unsigned ring);
/* What ops->wants says has changed. */
int vu_front_enable(struct vu_front *f);
/* vu_front_write_config, for who has not the lock. */
int vu_front_config_write(struct vu_front *f, uint32_t off, uint8_t val);

/* ---- front_conn.c ---- */

/* Watch thread, timer and the rings' error eventfds. 0 or -errno (logged). The one that needs no lock. */
int vu_front_open_watch(struct vu_front *f);
/* Connect; the features promised to the guest must (still) be there; a started device is handed over. */
int vu_front_join(struct vu_front *f, bool again);
/* The first len bytes of the back-end's configuration. False when it does not tell; they are zero then. */
bool vu_front_read_config(struct vu_front *f, void *config, uint32_t len);
/* One byte of it. 0 or -errno. */
int vu_front_write_config(struct vu_front *f, uint32_t off, uint8_t val);

/* ---- front_ring.c ---- */

/* Features, memory and all rings, to a fresh back-end. */
int vu_front_hand_over(struct vu_front *f);
/*
 * A dead connection is no error of a ring: -ENOTCONN, and it is handed over again when there is a back-end.
 */
int vu_front_ring_hand_over(struct vu_front *f, unsigned ring);
/* Stop a ring and learn its base. */
void vu_front_ring_take_back(struct vu_front *f, unsigned ring);
/* The base of a ring whose back-end can no longer be asked. */
void vu_front_ring_recover(struct vu_front *f, unsigned ring);
int vu_front_ring_enable(struct vu_front *f, unsigned ring);
/* Forget how far the rings were: they start anew. */
void vu_front_drop_inflight(struct vu_front *f);
void vu_front_ring_break(struct vu_front *f, unsigned ring, const char *why);
/* Kicks and calls may have been lost with the old process: give each once more. */
void vu_front_wake_rings(struct vu_front *f);

#endif
