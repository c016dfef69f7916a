// SPDX-License-Identifier: MIT
/* mode=vhost-user as a backend of virtio-net (front.h). */
#include "vmm/devices/virtio_net/front.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

#define BIT(n) (1ull << (n))

static struct front *front_new(struct net_backend *be)
{
	struct front *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->be = be;
	f->link = (struct vu_link)VU_LINK_INIT;
	f->link.who = be->dev_name;
	f->broker = (struct vu_broker)VU_BROKER_INIT;
	f->timer_fd = f->channel = f->inflight_fd = -1;
	pthread_mutex_init(&f->lock, NULL);
	for (unsigned i = 0; i < NET_RINGS_MAX; i++)
		f->ring[i] = (struct front_ring){.f = f, .index = i, .err_fd = -1};
	return f;
}

static int be_open(struct net_backend *be, const struct dev_opts *opts)
{
	struct front *f = be->priv = front_new(be);
	const char *path = dev_opts_str(opts, "path", NULL);
	struct virtio_net_config c;
	int err;

	if (!f)
		return -ENOMEM;
	if (!path) {
		log_error("%s: mode=vhost-user needs path=SOCKET of the back-end", be->dev_name);
		return -EINVAL;
	}
	if (gmem_fd(be->gm) < 0) {
		log_error(
			"%s: mode=vhost-user: guest memory is private to this process; add --share-memory",
			be->dev_name);
		return -EINVAL;
	}
	f->path = strdup(path);
	if (!f->path)
		return -ENOMEM;
	err = vu_broker_start(&f->broker, f->path);
	if (!err)
		err = front_open_watch(f);
	if (err)
		return err;
	pthread_mutex_lock(&f->lock);
	err = front_join(f, false);
	if (!err) {
		/* Offloads cannot be changed over this protocol once the features are set. */
		be->features = f->link.features & NET_BACKEND_FEATURES &
			       ~BIT(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS);
		if (front_read_config(f, &c))
			be->mtu = c.mtu;
	}
	pthread_mutex_unlock(&f->lock);
	return err == -ENOENT || err == -ECONNREFUSED || err == -EACCES ? -ENODEV : err;
}

static void be_close(struct net_backend *be)
{
	struct front *f = be->priv;

	if (!f)
		return;
	evloop_destroy(f->watch);
	vu_broker_stop(&f->broker);
	vu_link_close(&f->link);
	close_fd(&f->channel);
	close_fd(&f->timer_fd);
	front_drop_inflight(f);
	for (unsigned i = 0; i < NET_RINGS_MAX; i++)
		close_fd(&f->ring[i].err_fd);
	pthread_mutex_destroy(&f->lock);
	free(f->path);
	free(f);
	be->priv = NULL;
}

/* While there is no back-end everything succeeds, and is handed over when it comes. */
static int unless_gone(int err)
{
	return err == -ENOTCONN ? 0 : err;
}

static int be_start(struct net_backend *be, uint64_t features, unsigned n)
{
	struct front *f = be->priv;
	int err;

	pthread_mutex_lock(&f->lock);
	f->started = true;
	f->features = features;
	f->n_rings = n;
	f->active_pairs = 1;
	for (unsigned i = 0; i < n; i++) {
		f->ring[i].broken = false;
		f->ring[i].running =
			be->rings[i].ready; /* also when it has to wait for a back-end */
	}
	err = unless_gone(front_hand_over(f));
	pthread_mutex_unlock(&f->lock);
	return err;
}

static void be_stop(struct net_backend *be)
{
	struct front *f = be->priv;

	pthread_mutex_lock(&f->lock);
	for (unsigned i = 0; i < f->n_rings; i++)
		front_ring_take_back(f, i);
	f->started = false;
	front_drop_inflight(f);
	pthread_mutex_unlock(&f->lock);
}

static int be_ring_start(struct net_backend *be, unsigned ring)
{
	struct front *f = be->priv;
	int err = 0;

	pthread_mutex_lock(&f->lock);
	f->ring[ring].broken = false;
	f->ring[ring].running = be->rings[ring].ready;
	/* The next back-end would believe the region, which knows the ring before its reset. */
	if (f->link.sock < 0 && f->inflight_fd >= 0)
		front_ring_break(f, ring,
				 "a packed ring that was reset while there was no back-end");
	if (f->ring[ring].running)
		err = unless_gone(front_ring_hand_over(f, ring));
	pthread_mutex_unlock(&f->lock);
	return err;
}

static void be_ring_stop(struct net_backend *be, unsigned ring)
{
	struct front *f = be->priv;

	pthread_mutex_lock(&f->lock);
	front_ring_take_back(f, ring);
	pthread_mutex_unlock(&f->lock);
}

static int be_set_pairs(struct net_backend *be, unsigned pairs)
{
	struct front *f = be->priv;
	int err = 0;

	pthread_mutex_lock(&f->lock);
	f->active_pairs = pairs;
	for (unsigned i = 0; i < f->n_rings && !err; i++)
		if (f->ring[i].running)
			err = front_ring_enable(f, i);
	pthread_mutex_unlock(&f->lock);
	return unless_gone(err);
}

/* The back-end has them in SET_FEATURES; CTRL_GUEST_OFFLOADS is not offered. */
static int be_set_offloads(struct net_backend *be, uint64_t guest_features)
{
	(void)be;
	(void)guest_features;
	return 0;
}

const struct net_backend_ops net_backend_vhost_user = {
	.name = "vhost-user",
	.open = be_open,
	.close = be_close,
	.start = be_start,
	.stop = be_stop,
	.ring_start = be_ring_start,
	.ring_stop = be_ring_stop,
	.set_pairs = be_set_pairs,
	.set_offloads = be_set_offloads,
};
