// SPDX-License-Identifier: MIT
/*
 * virtio-net's control queue (virtio 1.3, 5.1.6.5). It is served on the vCPU that kicked, under the device's
 * lock: drivers spin until the answer is there, so one exit with the answer at its end is the shortest way.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "vmm/devices/virtio_net/netq.h"
#include "vmm/devices/virtio_net/net.h"

#define GUEST_OFFLOADS                                                                             \
	(VIRTIO_BIT(VIRTIO_NET_F_GUEST_CSUM) | VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO4) |               \
	 VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO6) | VIRTIO_BIT(VIRTIO_NET_F_GUEST_ECN) |                \
	 VIRTIO_BIT(NET_F_GUEST_USO4) | VIRTIO_BIT(NET_F_GUEST_USO6))

/* The data of a command: what the chain holds behind class and command. */
struct command {
	struct virtio_net_ctrl_hdr hdr;
	const struct virtq_chain *c;
	size_t len;
};

static bool get_bytes(const struct command *cmd, size_t off, void *buf, size_t len)
{
	if (!range_ok(off, len, cmd->len))
		return false;
	iov_gather(cmd->c->iov, cmd->c->n_out, sizeof(cmd->hdr) + off, buf, len);
	return true;
}

static void push_filter(struct vnet *net)
{
	if (net->be.ops->set_filter)
		net->be.ops->set_filter(&net->be, &net->filter);
}

/* Until the driver has spoken everything passes. */
void vnet_filter_reset(struct vnet *net)
{
	net->filter = (struct net_filter){.promisc = true,
					  .vlan_on = virtio_has(&net->vd, VIRTIO_NET_F_CTRL_VLAN)};
	memcpy(net->filter.mac, net->config.mac, 6);
	push_filter(net);
}

static bool ctrl_rx(struct vnet *net, const struct command *cmd)
{
	struct net_filter *f = &net->filter;
	bool *const flag[] = {&f->promisc, &f->allmulti, &f->alluni,
			      &f->nomulti, &f->nouni,	 &f->nobcast};
	uint8_t on;

	if (cmd->hdr.cmd >= ARRAY_SIZE(flag) || !get_bytes(cmd, 0, &on, 1))
		return false;
	if (cmd->hdr.cmd >= VIRTIO_NET_CTRL_RX_ALLUNI &&
	    !virtio_has(&net->vd, VIRTIO_NET_F_CTRL_RX_EXTRA))
		return false;
	*flag[cmd->hdr.cmd] = on;
	return true;
}

/* One table: a count, then addresses. More than we keep means "take all of that kind". */
static bool mac_table(const struct command *cmd, size_t *off, uint8_t (*t)[6], unsigned max,
		      unsigned *n, bool *overflow)
{
	uint32_t entries;

	if (!get_bytes(cmd, *off, &entries, sizeof(entries)))
		return false;
	*off += sizeof(entries);
	if (entries > (cmd->len - *off) / 6)
		return false;
	*overflow = entries > max;
	*n = *overflow ? 0 : entries;
	get_bytes(cmd, *off, t, *n * 6ull);
	*off += entries * 6ull;
	return true;
}

static bool set_tables(struct vnet *net, const struct command *cmd)
{
	struct net_filter f = net->filter;
	size_t off = 0;

	if (!mac_table(cmd, &off, f.uni, ARRAY_SIZE(f.uni), &f.n_uni, &f.uni_overflow) ||
	    !mac_table(cmd, &off, f.multi, ARRAY_SIZE(f.multi), &f.n_multi, &f.multi_overflow))
		return false;
	net->filter = f;
	return true;
}

static bool ctrl_mac(struct vnet *net, const struct command *cmd)
{
	if (cmd->hdr.cmd == VIRTIO_NET_CTRL_MAC_TABLE_SET)
		return set_tables(net, cmd);
	if (cmd->hdr.cmd != VIRTIO_NET_CTRL_MAC_ADDR_SET ||
	    !virtio_has(&net->vd, VIRTIO_NET_F_CTRL_MAC_ADDR) || cmd->len != 6)
		return false;
	get_bytes(cmd, 0, net->config.mac, 6);
	memcpy(net->filter.mac, net->config.mac, 6);
	return true;
}

static bool ctrl_vlan(struct vnet *net, const struct command *cmd)
{
	uint16_t id;

	if (!get_bytes(cmd, 0, &id, sizeof(id)) || id >= 4096)
		return false;
	if (cmd->hdr.cmd == VIRTIO_NET_CTRL_VLAN_ADD)
		net->filter.vlan[id / 64] |= 1ull << id % 64;
	else if (cmd->hdr.cmd == VIRTIO_NET_CTRL_VLAN_DEL)
		net->filter.vlan[id / 64] &= ~(1ull << id % 64);
	else
		return false;
	return true;
}

static bool ctrl_announce(struct vnet *net, const struct command *cmd)
{
	if (cmd->hdr.cmd != VIRTIO_NET_CTRL_ANNOUNCE_ACK)
		return false;
	__atomic_fetch_and(&net->config.status, (uint16_t)~VIRTIO_NET_S_ANNOUNCE, __ATOMIC_RELAXED);
	return true;
}

static bool ctrl_mq(struct vnet *net, const struct command *cmd)
{
	uint16_t pairs;

	if (cmd->hdr.cmd != VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET || !get_bytes(cmd, 0, &pairs, sizeof(pairs)))
		return false;
	if (pairs < 1 || pairs > net->pairs)
		return false;
	return !net->be.ops->set_pairs(&net->be, pairs);
}

static bool ctrl_offloads(struct vnet *net, const struct command *cmd)
{
	uint64_t offloads;

	if (cmd->hdr.cmd != VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET ||
	    !get_bytes(cmd, 0, &offloads, sizeof(offloads)))
		return false;
	if (offloads & ~(net->vd.features & GUEST_OFFLOADS))
		return false;
	return !net->be.ops->set_offloads(&net->be, offloads);
}

static const struct {
	uint8_t class, feature;
	bool (*run)(struct vnet *net, const struct command *cmd);
} classes[] = {
	{VIRTIO_NET_CTRL_RX, VIRTIO_NET_F_CTRL_RX, ctrl_rx},
	{VIRTIO_NET_CTRL_MAC, VIRTIO_NET_F_CTRL_VQ, ctrl_mac},
	{VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_F_CTRL_VLAN, ctrl_vlan},
	{VIRTIO_NET_CTRL_ANNOUNCE, VIRTIO_NET_F_GUEST_ANNOUNCE, ctrl_announce},
	{VIRTIO_NET_CTRL_MQ, VIRTIO_NET_F_MQ, ctrl_mq},
	{VIRTIO_NET_CTRL_GUEST_OFFLOADS, VIRTIO_NET_F_CTRL_GUEST_OFFLOADS, ctrl_offloads},
};

static bool run_command(struct vnet *net, const struct command *cmd)
{
	bool filter = cmd->hdr.class <= VIRTIO_NET_CTRL_VLAN;

	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		if (classes[i].class != cmd->hdr.class || !virtio_has(&net->vd, classes[i].feature))
			continue;
		if (!classes[i].run(net, cmd))
			return false;
		if (filter)
			push_filter(net);
		return true;
	}
	return false;
}

struct control {
	struct vnet *net;
	const struct command *cmd;
	bool ok;
};

static void run_on_control(void *arg)
{
	struct control *ctl = arg;

	ctl->ok = run_command(ctl->net, ctl->cmd);
}

static int serve_command(struct vnet *net, const struct virtq_chain *c)
{
	struct command cmd = {.c = c, .len = c->out_len - sizeof(cmd.hdr)};
	struct control ctl = {net, &cmd, false};
	uint8_t ack;

	if (c->out_len < sizeof(cmd.hdr) || c->in_len < sizeof(ack))
		return -EBADMSG;
	iov_gather(c->iov, c->n_out, 0, &cmd.hdr, sizeof(cmd.hdr));
	vm_control(net->vd.pci->vm, run_on_control, &ctl);
	ack = (uint8_t)bits_if(!ctl.ok, VIRTIO_NET_ERR); /* VIRTIO_NET_OK is 0 */
	iov_scatter(c->iov + c->n_out, c->n_in, 0, &ack, sizeof(ack));
	virtq_push(&net->ctrl, c, sizeof(ack));
	return 0;
}

void vnet_ctrl_run(struct vnet *net)
{
	unsigned index = (unsigned)vnet_ctrl_queue(net), budget = VIRTQ_SIZE_MAX;
	struct stats_queue *s = net->vd.q[index].stats;
	struct iovec iov[VIRTQ_SIZE_MAX];
	struct virtq_chain c;
	int r = 0;

	stats_count(&s->kicks, 1);
	do {
		while (budget && (r = virtq_pop(&net->ctrl, &c, iov, VIRTQ_SIZE_MAX)) > 0 &&
		       !(r = serve_command(net, &c))) {
			stats_count(&s->descs, 1);
			budget--;
		}
	} while (r >= 0 && virtq_kicks_on(&net->ctrl) && budget);
	virtq_publish(&net->ctrl);
	if (virtq_should_call(&net->ctrl)) {
		stats_count(&s->interrupts, 1);
		virtio_call(&net->vd, index);
	}
	if (r < 0) {
		stats_count(&s->bad, 1);
		net->ctrl.broken = true;
		virtio_broken(&net->vd, index);
	}
}
