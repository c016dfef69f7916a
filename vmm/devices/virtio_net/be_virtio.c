// SPDX-License-Identifier: MIT
/* mode=virtio: this process moves the packets between the rings and a TAP, one I/O thread per queue pair. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "vmm/devices/virtio_net/netq.h"
#include "vmm/devices/virtio_net/pair.h"
#include "vmm/net/tap.h"

/*
 * How long the interrupt for sent frames waits for a received one to make it needless: longer than most
 * answers and acknowledgements take, shorter than anyone notices. A TCP stream in the lab, seven boots each,
 * interleaved: 514 Mb/s with 500 us, 413 with 200.
 */
#define HOLD_US 500

struct be_virtio {
	struct tap tap;
	struct pair *pair[NET_PAIRS_MAX];
};

static void be_stop(struct net_backend *be)
{
	struct be_virtio *b = be->priv;

	for (unsigned i = 0; i < be->pairs; i++)
		pair_stop(b->pair[i], true, true);
}

static int be_start(struct net_backend *be, uint64_t features, unsigned n)
{
	struct be_virtio *b = be->priv;
	int err = tap_set_queues(&b->tap, 1);

	for (unsigned i = 0; i < n / 2 && !err; i++)
		err = pair_start(b->pair[i], features, true, true);
	if (err)
		be_stop(be);
	return err;
}

static int be_ring_start(struct net_backend *be, unsigned ring)
{
	struct be_virtio *b = be->priv;

	return pair_restart(b->pair[ring / 2], ring & 1);
}

static void be_ring_stop(struct net_backend *be, unsigned ring)
{
	struct be_virtio *b = be->priv;

	pair_stop(b->pair[ring / 2], !(ring & 1), ring & 1);
}

static int be_set_pairs(struct net_backend *be, unsigned pairs)
{
	struct be_virtio *b = be->priv;

	return tap_set_queues(&b->tap, pairs);
}

static int be_set_offloads(struct net_backend *be, uint64_t guest_features)
{
	struct be_virtio *b = be->priv;

	return tap_set_offloads(&b->tap, guest_features);
}

static void be_set_filter(struct net_backend *be, const struct net_filter *f)
{
	struct be_virtio *b = be->priv;

	for (unsigned i = 0; i < be->pairs; i++)
		pair_set_filter(b->pair[i], f);
}

static int be_open(struct net_backend *be, const struct dev_opts *opts)
{
	struct be_virtio *b = be->priv = calloc(1, sizeof(*b));
	uint64_t poll_us = 0, hold_us = HOLD_US;
	int err;

	if (!b)
		return -ENOMEM;
	b->tap = (struct tap)TAP_INIT;
	err = dev_opts_u64(opts, "poll_us", &poll_us, 0, 1000000);
	if (!err)
		err = dev_opts_u64(opts, "coalesce_us", &hold_us, 0, 1000000);
	if (!err)
		err = tap_open_opts(&b->tap, opts, be->dev_name, be->pairs);
	for (unsigned i = 0; i < be->pairs && !err; i++) {
		struct pair_config cfg = {be, i, b->tap.fd[i], poll_us * NSEC_PER_USEC,
					  hold_us * NSEC_PER_USEC};

		err = pair_open(&b->pair[i], &cfg);
	}
	be->features = NET_BACKEND_FEATURES &
		       (tap_features(&b->tap) | 1ull << VIRTIO_NET_F_MRG_RXBUF |
			1ull << VIRTIO_RING_F_INDIRECT_DESC | 1ull << VIRTIO_RING_F_EVENT_IDX |
			1ull << VIRTIO_F_RING_PACKED | 1ull << VIRTIO_F_IN_ORDER);
	if (!NETQ_SUPPRESS_KICKS)
		be->features &= ~(1ull << VIRTIO_RING_F_EVENT_IDX);
	be->mtu = b->tap.mtu;
	return err;
}

static void be_close(struct net_backend *be)
{
	struct be_virtio *b = be->priv;

	if (!b)
		return;
	for (unsigned i = 0; i < be->pairs; i++)
		pair_close(b->pair[i]);
	tap_close(&b->tap);
	free(b);
	be->priv = NULL;
}

const struct net_backend_ops net_backend_virtio = {
	.name = "virtio",
	.open = be_open,
	.close = be_close,
	.start = be_start,
	.stop = be_stop,
	.ring_start = be_ring_start,
	.ring_stop = be_ring_stop,
	.set_pairs = be_set_pairs,
	.set_offloads = be_set_offloads,
	.set_filter = be_set_filter,
};
