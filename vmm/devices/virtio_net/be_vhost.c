// SPDX-License-Identifier: MIT
/*
 * mode=vhost: the kernel moves the packets (vmm/vhost/kernel.h). One /dev/vhost-net per queue pair, tied to
 * one queue of the TAP.
 *
 * v->lock guards the rings' running state: start and stop against the error watch. The kernel itself allows
 * all calls at once.
 */
#include <errno.h>
#include <linux/virtio_net.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "base/log.h"
#include "vmm/core/eventfd.h"
#include "vmm/core/evloop.h"
#include "vmm/devices/virtio_net/backend.h"
#include "vmm/net/tap.h"
#include "vmm/vhost/kernel.h"

#define BIT(n) (1ull << (n))

/*
 * The bits that vhost itself serves; offloads are the TAP's business. Packed rings: no kernel has them
 * (6.18).
 */
#define VHOST_RING_BITS (BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_RING_F_INDIRECT_DESC) | \
			 BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VIRTIO_F_IN_ORDER))

static const struct vhost_kernel_kind vhost_net_kind = {"/dev/vhost-net", "vhost", "vhost_net", "virtio"};

struct vhost_net;

struct vhost_ring {
	struct vhost_net *v;
	unsigned index;
	int err_fd;   /* the kernel writes it when the ring breaks the rules */
	bool running; /* tied to the TAP */
};

struct vhost_net {
	struct net_backend *be;
	struct tap tap;
	struct vhost_kernel pair[NET_PAIRS_MAX];
	uint64_t poll_us;
	struct evloop *watch;
	pthread_mutex_t lock;
	unsigned n_rings;      /* of the started device */
	unsigned active_pairs; /* used by the guest */
	struct vhost_ring ring[NET_RINGS_MAX];
};

static const struct vhost_kernel *pair_of(const struct vhost_net *v, unsigned ring)
{
	return &v->pair[ring / 2];
}

/* ---- rings ---- */

static int set_poll(struct vhost_net *v, unsigned ring)
{
	struct vhost_vring_state us = {ring & 1, (unsigned)v->poll_us};

	if (!v->poll_us)
		return 0;
	return VHOST_CALL(pair_of(v, ring), VHOST_SET_VRING_BUSYLOOP_TIMEOUT, &us);
}

static int set_backend(struct vhost_net *v, unsigned ring, int fd)
{
	struct vhost_vring_file file = {ring & 1, fd};

	return VHOST_CALL(pair_of(v, ring), VHOST_NET_SET_BACKEND, &file);
}

/*
 * A ring that is misaligned or outside RAM (-EFAULT) is the guest's fault: the device is told, the process
 * lives.
 */
static int ring_attach(struct vhost_net *v, unsigned ring)
{
	struct served_ring *served = &v->be->rings[ring];
	int err;

	if (!served->ready || v->ring[ring].running)
		return 0;
	err = vhost_kernel_ring_give(pair_of(v, ring), ring & 1, served, v->be->gm, v->ring[ring].err_fd);
	if (!err)
		err = set_poll(v, ring);
	if (!err)
		err = set_backend(v, ring, v->tap.fd[ring / 2]);
	if (err == -EFAULT) {
		log_guest("%s: ring %u is misaligned or not in memory", v->be->dev_name, ring);
		v->be->front_ops->ring_broken(v->be->front, ring);
		return 0;
	}
	if (err)
		return err;
	v->ring[ring].running = true;
	/* Chains made available while nobody listened have had their kick. */
	eventfd_signal(served->kick_fd);
	return 0;
}

static void ring_detach(struct vhost_net *v, unsigned ring)
{
	if (!v->ring[ring].running)
		return;
	v->ring[ring].running = false;
	set_backend(v, ring, -1);
	vhost_kernel_ring_take(pair_of(v, ring), ring & 1, &v->be->rings[ring]);
}

static void ring_error(void *arg, uint32_t events)
{
	struct vhost_ring *r = arg;
	struct vhost_net *v = r->v;
	bool was_running;

	(void)events;
	if (!eventfd_drain(r->err_fd))
		return;
	pthread_mutex_lock(&v->lock);
	was_running = r->running;
	ring_detach(v, r->index);
	pthread_mutex_unlock(&v->lock);
	if (!was_running)
		return;
	log_guest("%s: the kernel found ring %u broken", v->be->dev_name, r->index);
	v->be->front_ops->ring_broken(v->be->front, r->index);
}

/* ---- the backend ---- */

static int open_ring(struct vhost_net *v, unsigned i)
{
	struct vhost_ring *r = &v->ring[i];
	int err;

	r->err_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->err_fd < 0)
		err = -errno;
	else
		err = evloop_add(v->watch, r->err_fd, EPOLLIN, ring_error, r);
	if (err)
		log_error("%s: cannot watch ring %u: %s", v->be->dev_name, i, strerror(-err));
	return err;
}

static struct vhost_net *vhost_new(struct net_backend *be)
{
	struct vhost_net *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->be = be;
	v->tap = (struct tap)TAP_INIT;
	pthread_mutex_init(&v->lock, NULL);
	for (unsigned i = 0; i < NET_PAIRS_MAX; i++)
		v->pair[i].fd = -1;
	for (unsigned i = 0; i < NET_RINGS_MAX; i++)
		v->ring[i] = (struct vhost_ring){v, i, -1, false};
	return v;
}

static int vhost_open(struct net_backend *be, const struct dev_opts *opts)
{
	struct vhost_net *v = be->priv = vhost_new(be);
	char name[16];
	int err;

	if (!v)
		return -ENOMEM;
	err = dev_opts_u64(opts, "poll_us", &v->poll_us, 0, 1000000);
	if (!err)
		err = tap_open_opts(&v->tap, opts, be->dev_name, be->pairs);
	for (unsigned i = 0; i < be->pairs && !err; i++)
		err = vhost_kernel_open(&v->pair[i], &vhost_net_kind, be->dev_name);
	if (err)
		return err;
	snprintf(name, sizeof(name), "%.10s-err", be->dev_name);
	err = evloop_create(&v->watch, be->threads, THREAD_IO, name);
	for (unsigned i = 0; i < 2 * be->pairs && !err; i++)
		err = open_ring(v, i);
	be->features = tap_features(&v->tap) | (v->pair[0].features & VHOST_RING_BITS);
	be->mtu = v->tap.mtu;
	return err;
}

static void vhost_close(struct net_backend *be)
{
	struct vhost_net *v = be->priv;

	if (!v)
		return;
	evloop_destroy(v->watch);
	for (unsigned i = 0; i < NET_PAIRS_MAX; i++)
		close_fd(&v->pair[i].fd);
	for (unsigned i = 0; i < NET_RINGS_MAX; i++)
		close_fd(&v->ring[i].err_fd);
	tap_close(&v->tap);
	pthread_mutex_destroy(&v->lock);
	free(v);
	be->priv = NULL;
}

/*
 * A TAP queue that is attached and not served would swallow its share of the packets: both change together.
 */
static int use_pairs(struct vhost_net *v, unsigned pairs)
{
	int err;

	for (unsigned i = 2 * pairs; i < v->n_rings; i++)
		ring_detach(v, i);
	err = tap_set_queues(&v->tap, pairs);
	for (unsigned i = 0; i < MIN(2 * pairs, v->n_rings) && !err; i++)
		err = ring_attach(v, i);
	if (!err)
		v->active_pairs = pairs;
	return err;
}

static int vhost_set_pairs(struct net_backend *be, unsigned pairs)
{
	struct vhost_net *v = be->priv;
	int err;

	pthread_mutex_lock(&v->lock);
	err = use_pairs(v, pairs);
	pthread_mutex_unlock(&v->lock);
	return err;
}

static void detach_all(struct vhost_net *v)
{
	for (unsigned i = 0; i < v->n_rings; i++)
		ring_detach(v, i);
	v->n_rings = 0;
}

static void vhost_stop(struct net_backend *be)
{
	struct vhost_net *v = be->priv;

	pthread_mutex_lock(&v->lock);
	detach_all(v);
	pthread_mutex_unlock(&v->lock);
}

static int vhost_start(struct net_backend *be, uint64_t features, unsigned n)
{
	struct vhost_net *v = be->priv;
	uint64_t acked = features & v->pair[0].features & (VHOST_RING_BITS | BIT(VIRTIO_F_VERSION_1));
	int err = 0;

	pthread_mutex_lock(&v->lock);
	for (unsigned i = 0; i < (n + 1) / 2 && !err; i++)
		err = vhost_kernel_set_up(&v->pair[i], acked, be->gm);
	if (!err) {
		v->n_rings = n;
		err = use_pairs(v, 1);
	}
	if (err)
		detach_all(v);
	pthread_mutex_unlock(&v->lock);
	return err;
}

static int vhost_ring_start(struct net_backend *be, unsigned ring)
{
	struct vhost_net *v = be->priv;
	int err = 0;

	pthread_mutex_lock(&v->lock);
	if (ring < v->n_rings && ring / 2 < v->active_pairs)
		err = ring_attach(v, ring);
	pthread_mutex_unlock(&v->lock);
	return err;
}

static void vhost_ring_stop(struct net_backend *be, unsigned ring)
{
	struct vhost_net *v = be->priv;

	pthread_mutex_lock(&v->lock);
	ring_detach(v, ring);
	pthread_mutex_unlock(&v->lock);
}

static int vhost_set_offloads(struct net_backend *be, uint64_t guest_features)
{
	struct vhost_net *v = be->priv;

	return tap_set_offloads(&v->tap, guest_features);
}

const struct net_backend_ops net_backend_vhost = {
	.name = "vhost",
	.open = vhost_open,
	.close = vhost_close,
	.start = vhost_start,
	.stop = vhost_stop,
	.ring_start = vhost_ring_start,
	.ring_stop = vhost_ring_stop,
	.set_pairs = vhost_set_pairs,
	.set_offloads = vhost_set_offloads,
};
