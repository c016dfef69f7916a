// SPDX-License-Identifier: MIT
/* virtio-net: queue 0 receives, queue 1 sends; buffer i belongs to descriptor i for ever. */
#include <string.h>

#include "workloads/micro/nic.h"
#include "workloads/micro/virtio.h"

#define RING     256
#define HDR_SIZE 12 /* struct virtio_net_hdr_v1; all zero: nothing to offload */

enum { RXQ, TXQ };

struct vnet {
	struct virtio v;
	struct vq rx, tx;
	uint8_t *rx_buf, *tx_buf;
	unsigned tx_free;
	uint16_t tx_next;           /* slot */
};

static uint8_t *buf_at(uint8_t *base, unsigned i)
{
	return base + (uint64_t)i * NIC_BUF;
}

static void give_rx(struct vnet *n, uint16_t id)
{
	virtq_add(&n->rx, id, (uint64_t)buf_at(n->rx_buf, id), NIC_BUF, DESC_WRITE);
}

static void fill_rx(struct vnet *n)
{
	for (unsigned i = 0; i < n->rx.size; i++)
		give_rx(n, (uint16_t)i);
	virtq_publish(&n->rx);
}

static bool start_card(struct nic *nic, struct vnet *n)
{
	if (!virtio_open(&n->v, &nic->pci) ||
	    !virtio_negotiate(&n->v,
			      VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_PACKED | VIRTIO_NET_F_MAC))
		return false;
	for (unsigned i = 0; i < 6; i++)
		nic->mac[i] = mmio_read8(n->v.device + i);
	if (!virtq_alloc(&n->v, &n->rx, RXQ, RING) || !virtq_alloc(&n->v, &n->tx, TXQ, RING))
		return false;
	virtq_program(&n->v, &n->rx);
	virtq_program(&n->v, &n->tx);
	virtio_set_status(&n->v, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
	n->tx_free = n->tx.size;
	nic->ring = n->rx.packed ? "packed" : "split";
	fill_rx(n);
	return true;
}

static bool vnet_init(struct nic *nic)
{
	struct vnet *n;

	if (!pci_find(&nic->pci, VIRTIO_VENDOR, VIRTIO_ID_NET) && !pci_find(&nic->pci, VIRTIO_VENDOR, 0x1000))
		return false;
	n = nic->priv = mem_alloc(sizeof(*n), 64);
	if (!n)
		return true;
	n->rx_buf = mem_alloc(RING * NIC_BUF, 4096);
	n->tx_buf = mem_alloc(RING * NIC_BUF, 4096);
	if (n->rx_buf && n->tx_buf && !start_card(nic, n))
		report_fail("virtio-net: the device cannot be set up (status %x)", virtio_status(&n->v));
	return true;
}

static unsigned vnet_tx_room(struct nic *nic)
{
	struct vnet *n = nic->priv;
	uint32_t len;
	uint16_t id;

	/* Slots are used in turn: only for devices that complete in order, as ours and QEMU's do. */
	while (virtq_used(&n->tx, &id, &len))
		n->tx_free++;
	return n->tx_free;
}

static uint8_t *vnet_tx_buf(struct nic *nic)
{
	struct vnet *n = nic->priv;

	return buf_at(n->tx_buf, n->tx_next) + HDR_SIZE;
}

static void vnet_tx_push(struct nic *nic, unsigned len)
{
	struct vnet *n = nic->priv;

	virtq_add(&n->tx, n->tx_next, (uint64_t)buf_at(n->tx_buf, n->tx_next), HDR_SIZE + len, 0);
	n->tx_next = (uint16_t)((n->tx_next + 1) % n->tx.size);
	n->tx_free--;
}

static void vnet_tx_kick(struct nic *nic)
{
	struct vnet *n = nic->priv;

	nic->kicks += virtq_publish(&n->tx);
}

static unsigned vnet_rx_poll(struct nic *nic, nic_rx_fn fn, void *arg)
{
	struct vnet *n = nic->priv;
	unsigned got = 0;
	uint32_t len;
	uint16_t id;

	while (got < n->rx.size && virtq_used(&n->rx, &id, &len)) {
		id %= n->rx.size;
		if (len > HDR_SIZE && len <= NIC_BUF)
			fn(arg, buf_at(n->rx_buf, id) + HDR_SIZE, len - HDR_SIZE);
		give_rx(n, id);
		got++;
	}
	nic->kicks += virtq_publish(&n->rx);
	return got;
}

const struct nic_ops virtio_net_ops = {
	.name = "virtio-net",
	.init = vnet_init,
	.tx_room = vnet_tx_room,
	.tx_buf = vnet_tx_buf,
	.tx_push = vnet_tx_push,
	.tx_kick = vnet_tx_kick,
	.rx_poll = vnet_rx_poll,
};
