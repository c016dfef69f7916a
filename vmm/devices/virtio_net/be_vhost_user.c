// SPDX-License-Identifier: MIT
/* mode=vhost-user of virtio-net: another process moves the packets (vmm/vhost/front.h). */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "vmm/devices/virtio_net/backend.h"
#include "vmm/vhost/front.h"

#define BIT(n) (1ull << (n))

/* MTU and link status of the back-end. */
#define CONFIG_LEN (offsetof(struct virtio_net_config, mtu) + sizeof(uint16_t))

struct be_user {
	struct vu_front front;
	struct net_backend *be;
	unsigned active_pairs;
};

static int on_joined(struct vu_front *f, bool again)
{
	struct be_user *u = f->priv;

	(void)again;
	if (f->link.pairs >= u->be->pairs)
		return 0;
	log_error("%s: vhost-user: the back-end at %s serves %u queues; %u pairs are asked for", f->dev_name,
		  f->path, f->link.pairs, u->be->pairs);
	return -EOPNOTSUPP;
}

static void on_link(struct vu_front *f, bool up)
{
	struct be_user *u = f->priv;

	u->be->front_ops->link(u->be->front, up);
}

static void on_config_changed(struct vu_front *f)
{
	struct virtio_net_config c;

	if (vu_front_read_config(f, &c, CONFIG_LEN))
		on_link(f, c.status & VIRTIO_NET_S_LINK_UP);
}

static bool on_wants(struct vu_front *f, unsigned ring)
{
	struct be_user *u = f->priv;

	return ring / 2 < __atomic_load_n(&u->active_pairs, __ATOMIC_RELAXED);
}

static void on_ring_broken(struct vu_front *f, unsigned ring)
{
	struct be_user *u = f->priv;

	u->be->front_ops->ring_broken(u->be->front, ring);
}

static const struct vu_front_ops front_ops = {
	on_joined, on_link, on_config_changed, on_wants, on_ring_broken,
};

static struct be_user *user_new(struct net_backend *be)
{
	struct be_user *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	vu_front_init(&u->front);
	u->be = be;
	u->front.ops = &front_ops;
	u->front.priv = u;
	u->front.dev_name = be->dev_name;
	u->front.without = "the guest's link is down";
	u->front.threads = be->threads;
	u->front.gm = be->gm;
	u->front.rings = be->rings;
	u->front.max_rings = 2 * be->pairs;
	return u;
}

static int be_open(struct net_backend *be, const struct dev_opts *opts)
{
	struct be_user *u = be->priv = user_new(be);
	struct virtio_net_config c;
	int err;

	if (!u)
		return -ENOMEM;
	err = vu_front_open(&u->front, opts);
	if (err)
		return err;
	pthread_mutex_lock(&u->front.lock);
	/* Offloads cannot be changed over this protocol once the features are set. */
	be->features = u->front.link.features & NET_BACKEND_FEATURES & ~BIT(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS);
	u->front.promised = be->features;
	if (vu_front_read_config(&u->front, &c, CONFIG_LEN))
		be->mtu = c.mtu;
	pthread_mutex_unlock(&u->front.lock);
	return 0;
}

static void be_close(struct net_backend *be)
{
	struct be_user *u = be->priv;

	if (!u)
		return;
	vu_front_close(&u->front);
	free(u);
	be->priv = NULL;
}

static int be_start(struct net_backend *be, uint64_t features, unsigned n)
{
	struct be_user *u = be->priv;

	__atomic_store_n(&u->active_pairs, 1, __ATOMIC_RELAXED);
	return vu_front_start(&u->front, features, n);
}

static void be_stop(struct net_backend *be)
{
	struct be_user *u = be->priv;

	vu_front_stop(&u->front);
}

static int be_ring_start(struct net_backend *be, unsigned ring)
{
	struct be_user *u = be->priv;

	return vu_front_ring_start(&u->front, ring);
}

static void be_ring_stop(struct net_backend *be, unsigned ring)
{
	struct be_user *u = be->priv;

	vu_front_ring_stop(&u->front, ring);
}

static int be_set_pairs(struct net_backend *be, unsigned pairs)
{
	struct be_user *u = be->priv;

	__atomic_store_n(&u->active_pairs, pairs, __ATOMIC_RELAXED);
	return vu_front_enable(&u->front);
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
