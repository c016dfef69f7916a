// SPDX-License-Identifier: MIT
#include "vmm/devices/virtio_net/net.h"

#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/net/mac.h"
#include "vmm/devices/virtio_net/netq.h"

#define RING_SIZE 256

#define B(name)  VIRTIO_BIT(VIRTIO_NET_F_##name)
#define USO_IN   (VIRTIO_BIT(NET_F_GUEST_USO4) | VIRTIO_BIT(NET_F_GUEST_USO6))
#define USO_OUT  VIRTIO_BIT(NET_F_HOST_USO)
#define SEG_IN   (B(GUEST_TSO4) | B(GUEST_TSO6) | B(GUEST_ECN) | USO_IN)
#define SEG_OUT  (B(HOST_TSO4) | B(HOST_TSO6) | B(HOST_ECN) | USO_OUT)

/* Knobs that take features away. */
static const struct virtio_knob knobs[] = {
	{"offload", B(CSUM) | B(GUEST_CSUM) | SEG_IN | SEG_OUT | B(CTRL_GUEST_OFFLOADS)},
	{"csum", B(CSUM)},
	{"guest_csum", B(GUEST_CSUM)},
	{"tso4", B(HOST_TSO4)},
	{"tso6", B(HOST_TSO6)},
	{"ecn", B(HOST_ECN) | B(GUEST_ECN)},
	{"uso", USO_OUT},
	{"guest_tso4", B(GUEST_TSO4)},
	{"guest_tso6", B(GUEST_TSO6)},
	{"guest_uso", USO_IN},
	{"guest_offloads", B(CTRL_GUEST_OFFLOADS)},
	{"mrg_rxbuf", B(MRG_RXBUF)},
	{"status", B(STATUS)},
	{"mtu", B(MTU)},
	{"announce", B(GUEST_ANNOUNCE)},
	{"ctrl_vq", B(CTRL_VQ)},
	{"ctrl_rx", B(CTRL_RX) | B(CTRL_RX_EXTRA)},
	{"ctrl_vlan", B(CTRL_VLAN)},
	{"ctrl_mac", B(CTRL_MAC_ADDR)},
	{"mq", B(MQ)},
};

/* 5.1.3.1: each of these bits needs at least one of those on the right. */
static const struct {
	uint64_t bits;
	uint64_t need;
} needs[] = {
	{B(HOST_TSO4) | B(HOST_TSO6) | USO_OUT, B(CSUM)},
	{B(GUEST_TSO4) | B(GUEST_TSO6) | USO_IN, B(GUEST_CSUM)},
	{B(GUEST_ECN), B(GUEST_TSO4) | B(GUEST_TSO6)},
	{B(HOST_ECN), B(HOST_TSO4) | B(HOST_TSO6)},
	{B(CTRL_RX) | B(CTRL_VLAN) | B(GUEST_ANNOUNCE) | B(MQ) | B(CTRL_MAC_ADDR) |
		 B(CTRL_GUEST_OFFLOADS),
	 B(CTRL_VQ)},
	{B(CTRL_RX_EXTRA), B(CTRL_RX)},
	{B(GUEST_ANNOUNCE), B(STATUS)},
};

/* Take away what lacks something it needs; the table's order makes one pass enough. */
static uint64_t prune_features(uint64_t features)
{
	for (size_t i = 0; i < ARRAY_SIZE(needs); i++)
		if (!(features & needs[i].need))
			features &= ~needs[i].bits;
	return features;
}

static bool vnet_features_ok(struct virtio_dev *vd, uint64_t features)
{
	(void)vd;
	return prune_features(features) == features;
}

static unsigned rings_in_use(const struct vnet *net)
{
	return virtio_has(&net->vd, VIRTIO_NET_F_MQ) ? 2 * net->pairs : 2;
}

int vnet_ctrl_queue(const struct vnet *net)
{
	if (!virtio_has(&net->vd, VIRTIO_NET_F_CTRL_VQ))
		return -1;
	return (int)rings_in_use(net);
}

/* ---- what the backend calls ---- */

static void front_call(void *front, unsigned ring)
{
	struct vnet *net = front;

	virtio_call(&net->vd, ring);
}

static void front_broken(void *front, unsigned ring)
{
	struct vnet *net = front;

	virtio_broken(&net->vd, ring);
}

/* A link that comes back may lead somewhere else: ask the guest to announce itself (5.1.6.5.4). */
static void front_link(void *front, bool up)
{
	struct vnet *net = front;
	bool may_ask = virtio_has(&net->vd, VIRTIO_NET_F_GUEST_ANNOUNCE);
	uint16_t announce = (uint16_t)bits_if(up && may_ask, VIRTIO_NET_S_ANNOUNCE);

	if (up)
		__atomic_fetch_or(&net->config.status, (uint16_t)(VIRTIO_NET_S_LINK_UP | announce),
				  __ATOMIC_RELAXED);
	else
		__atomic_fetch_and(&net->config.status, (uint16_t)~VIRTIO_NET_S_LINK_UP,
				   __ATOMIC_RELAXED);
	virtio_config_changed(&net->vd);
}

static const struct net_front_ops front_ops = {front_call, front_broken, front_link};

/* ---- start and stop ---- */

/* The backend in this process uses net_front_ops.call; all others are given eventfds. */
static bool calls_by_fd(const struct vnet *net)
{
	return net->be.ops != &net_backend_virtio;
}

static int prepare_ring(struct vnet *net, unsigned i)
{
	const struct virtio_queue *q = &net->vd.q[i];
	int call_fd = -1;

	if (calls_by_fd(net))
		call_fd = virtio_call_fd(&net->vd, i);

	net->be.rings[i] = (struct served_ring){
		.ready = q->enabled,
		.layout = q->layout,
		.base = virtq_base_new(net->vd.features),
		.kick_fd = q->kick_fd,
		.call_fd = call_fd,
		.stats = q->stats,
	};
	return virtio_intx_watch(&net->intx, i, call_fd);
}

static int start_ctrl(struct vnet *net, unsigned i)
{
	int err = virtq_start(&net->ctrl, net->be.gm, &net->vd.q[i].layout, net->vd.features,
			      virtq_base_new(net->vd.features));

	if (err) {
		log_guest("%s: the control queue is misaligned or not in memory",
			  net->vd.pci->name);
		virtio_broken(&net->vd, i);
	}
	return 0;
}

static int vnet_queue_start(struct virtio_dev *vd, unsigned i)
{
	struct vnet *net = vd->priv;
	int err;

	if ((int)i == vnet_ctrl_queue(net))
		return start_ctrl(net, i);
	if (i >= rings_in_use(net))
		return 0;
	err = prepare_ring(net, i);
	if (err)
		return err;
	return net->be.ops->ring_start(&net->be, i);
}

static void vnet_queue_stop(struct virtio_dev *vd, unsigned i)
{
	struct vnet *net = vd->priv;

	if ((int)i == vnet_ctrl_queue(net) || i >= rings_in_use(net))
		return;
	net->be.ops->ring_stop(&net->be, i);
	virtio_intx_unwatch(&net->intx, i);
	net->be.rings[i].ready = false;
}

static int vnet_start(struct virtio_dev *vd)
{
	struct vnet *net = vd->priv;
	int ctrl = vnet_ctrl_queue(net), err = 0;

	vd->sync_queue = ctrl;
	if (ctrl >= 0 && vd->q[ctrl].enabled)
		start_ctrl(net, (unsigned)ctrl);
	for (unsigned i = 0; i < rings_in_use(net) && !err; i++)
		err = prepare_ring(net, i);
	if (!err)
		err = net->be.ops->set_offloads(&net->be, vd->features);
	vnet_filter_reset(net);
	if (err)
		return err;
	return net->be.ops->start(&net->be, vd->features, rings_in_use(net));
}

static void vnet_stop(struct virtio_dev *vd)
{
	struct vnet *net = vd->priv;

	net->be.ops->stop(&net->be);
	for (unsigned i = 0; i < NET_RINGS_MAX; i++)
		virtio_intx_unwatch(&net->intx, i);
	memcpy(net->config.mac, net->first_mac, sizeof(net->first_mac));
	vd->sync_queue = -1;
}

static void vnet_notify(struct virtio_dev *vd, unsigned q)
{
	(void)q; /* the control queue is the only synchronous one */
	vnet_ctrl_run(vd->priv);
}

/* ---- set-up ---- */

static const struct virtio_ops vnet_ops = {
	.id = VIRTIO_ID_NET,
	.pci_class = 0x020000,
	.features_ok = vnet_features_ok,
	.start = vnet_start,
	.stop = vnet_stop,
	.queue_start = vnet_queue_start,
	.queue_stop = vnet_queue_stop,
	.notify = vnet_notify,
};

/* The same without queue reset, for backends that cannot stop one ring. */
static const struct virtio_ops vnet_ops_no_reset = {
	.id = VIRTIO_ID_NET,
	.pci_class = 0x020000,
	.features_ok = vnet_features_ok,
	.start = vnet_start,
	.stop = vnet_stop,
	.notify = vnet_notify,
};

const struct net_backend_ops *vnet_backends[VNET_BACKENDS] = {
	&net_backend_virtio, &net_backend_vhost, &net_backend_vhost_user};

static int pick_backend(struct vnet *net, const struct dev_opts *o)
{
	const char *modes[VNET_BACKENDS + 1] = {NULL};
	int mode = 0;

	for (int i = 0; i < VNET_BACKENDS && vnet_backends[i]; i++)
		modes[i] = vnet_backends[i]->name;
	if (dev_opts_word(o, "mode", modes, &mode))
		return -EINVAL;
	net->be.ops = vnet_backends[mode];
	return 0;
}

/* What the front half serves by itself. */
static uint64_t own_features(const struct vnet *net)
{
	uint64_t f = B(MAC) | B(STATUS) | B(CTRL_VQ) | B(CTRL_MAC_ADDR) | B(GUEST_ANNOUNCE);

	if (net->be.ops->set_filter)
		f |= B(CTRL_RX) | B(CTRL_RX_EXTRA) | B(CTRL_VLAN);
	if (net->be.ops->set_pairs && net->pairs > 1)
		f |= B(MQ);
	if (net->be.mtu)
		f |= B(MTU);
	return f;
}

static int offer_features(struct vnet *net, const struct dev_opts *o)
{
	uint64_t f = (net->be.features & NET_BACKEND_FEATURES) | own_features(net);

	if (virtio_switch_off(o, knobs, ARRAY_SIZE(knobs), &f))
		return -EINVAL;
	net->vd.offered = prune_features(f);
	return 0;
}

static void name_queues(struct vnet *net, uint64_t size)
{
	struct virtio_dev *vd = &net->vd;

	vd->n_queues = 2 * net->pairs + !!(vd->offered & B(CTRL_VQ));
	for (unsigned i = 0; i < vd->n_queues; i++) {
		vd->q[i].max_size = (uint16_t)size;
		snprintf(net->q_name[i], sizeof(net->q_name[i]), "%cxq%u", "rt"[i & 1], (uint8_t)i / 2u);
		if (i == 2 * net->pairs) {
			vd->q[i].max_size = NET_CTRL_SIZE;
			strcpy(net->q_name[i], "ctrl");
		}
		vd->q[i].name = net->q_name[i];
	}
}

static int parse_sizes(struct vnet *net, const struct dev_opts *o, uint64_t *size)
{
	uint64_t pairs = 1;

	if (dev_opts_u64(o, "queues", &pairs, 1, NET_PAIRS_MAX) ||
	    virtio_ring_size(net->vd.pci->name, o, size))
		return -EINVAL;
	net->pairs = (unsigned)pairs;
	return 0;
}

static int vnet_init(struct pci_dev *pci, const struct dev_opts *opts)
{
	struct vnet *net = calloc(1, sizeof(*net));
	uint64_t size = RING_SIZE;
	int err;

	if (!net)
		return -ENOMEM;
	pci->priv = net;
	_Static_assert(offsetof(struct vnet, vd) == 0,
		       "the transport finds its device through pci->priv");
	net->vd.pci = pci;
	net->vd.priv = net;
	net->vd.sync_queue = -1;
	err = pick_backend(net, opts);
	if (!err)
		err = parse_sizes(net, opts, &size);
	if (!err)
		err = mac_assign(pci, dev_opts_str(opts, "mac", NULL), net->config.mac);
	if (err)
		return err;
	net->be.dev_name = pci->name;
	net->be.vm = pci->vm;
	net->be.threads = vm_threads(pci->vm);
	net->be.gm = pci->gm;
	net->be.pairs = net->pairs;
	net->be.front_ops = &front_ops;
	net->be.front = net;
	err = net->be.ops->open(&net->be, opts);
	if (!err)
		err = offer_features(net, opts);
	if (!err && calls_by_fd(net))
		err = virtio_intx_open(&net->intx, &net->vd, "virtio-net-intx");
	if (err)
		return err;
	net->vd.ops = net->be.ops->ring_stop ? &vnet_ops : &vnet_ops_no_reset;
	net->config.status = VIRTIO_NET_S_LINK_UP;
	net->config.max_virtqueue_pairs = (uint16_t)net->pairs;
	net->config.mtu = net->be.mtu;
	memcpy(net->first_mac, net->config.mac, sizeof(net->first_mac));
	net->vd.config = &net->config;
	net->vd.config_len = offsetof(struct virtio_net_config, speed);
	name_queues(net, size);
	return virtio_init(&net->vd, pci, opts);
}

static void vnet_exit(struct pci_dev *pci)
{
	struct vnet *net = pci->priv;

	if (!net)
		return;
	virtio_exit(&net->vd);
	virtio_intx_close(&net->intx);
	if (net->be.ops)
		net->be.ops->close(&net->be);
	free(net);
	pci->priv = NULL;
}

const struct pci_ops virtio_net_ops = {
	.name = "virtio-net",
	.init = vnet_init,
	.exit = vnet_exit,
	VIRTIO_PCI_OPS,
};
