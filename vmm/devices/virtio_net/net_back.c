// SPDX-License-Identifier: MIT
#include "vmm/devices/virtio_net/net_back.h"

#define BIT(n) (1ull << (n))

/* The pairs that the guest uses are those up to the last ready ring. */
static int set_pairs(struct net_backend *be)
{
	unsigned pairs = 1;

	for (unsigned i = 0; i < 2 * be->pairs; i++)
		if (be->rings[i].ready)
			pairs = i / 2 + 1;
	if (be->ops->set_pairs)
		return be->ops->set_pairs(be, pairs);
	return 0;
}

static int net_start(struct vu_device *d, uint64_t features)
{
	struct net_backend *be = d->priv;
	int err;

	be->gm = d->gm;
	err = be->ops->start(be, features, d->n_rings);
	if (!err)
		err = be->ops->set_offloads(be, features);
	if (err)
		return err;
	return set_pairs(be);
}

static void net_stop(struct vu_device *d)
{
	struct net_backend *be = d->priv;

	be->ops->stop(be);
}

/* Nothing in the configuration is writable since virtio 1.0. */
static const struct vu_device_ops device_ops = {.start = net_start, .stop = net_stop};

static void on_call(void *front, unsigned ring)
{
	vu_back_call(front, ring);
}

static void on_broken(void *front, unsigned ring)
{
	vu_back_broken(front, ring);
}

static void on_link(void *front, bool up)
{
	(void)front;
	(void)up;
}

static const struct net_front_ops front_ops = {
	.call = on_call, .ring_broken = on_broken, .link = on_link};

/* No message of the protocol changes offloads after SET_FEATURES. */
static uint64_t features_of(const struct net_backend *be)
{
	return (be->features & ~BIT(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS)) |
	       bits_if(be->pairs > 1, BIT(VIRTIO_NET_F_MQ)) | bits_if(be->mtu, BIT(VIRTIO_NET_F_MTU));
}

int net_back_init(struct net_back *b, struct net_backend *be)
{
	_Static_assert(NET_RINGS_MAX <= VU_RINGS_MAX, "as many as the protocol's half can hold");
	b->be = be;
	b->config = (struct virtio_net_config){
		.status = VIRTIO_NET_S_LINK_UP,
		.max_virtqueue_pairs = (uint16_t)be->pairs,
		.mtu = be->mtu,
	};
	b->dev = (struct vu_device){
		.ops = &device_ops,
		.priv = be,
		.features = features_of(be),
		.queues = 2 * be->pairs, /* as rust-vmm has it; QEMU takes it for a limit of pairs */
		.n_rings = 2 * be->pairs,
		.rings = be->rings,
		.config = &b->config,
		.config_len = sizeof(b->config),
	};
	be->front_ops = &front_ops;
	be->front = &b->vu;
	return vu_back_init(&b->vu, &b->dev);
}
