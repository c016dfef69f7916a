/* SPDX-License-Identifier: MIT */
/* A network card as the jobs see it: frames, polled, no interrupts. */
#ifndef WORKLOADS_MICRO_NIC_H
#define WORKLOADS_MICRO_NIC_H

#include "workloads/micro/pci.h"

#define NIC_BUF 2048 /* bytes per frame buffer */

struct nic;
typedef void (*nic_rx_fn)(void *arg, const uint8_t *frame, unsigned len);

struct nic_ops {
	const char *name;
	/* false: there is no such card; report_fail when there is one and it fails */
	bool (*init)(struct nic *nic);
	/* Slots that can be filled now; takes back what was sent. */
	unsigned (*tx_room)(struct nic *nic);
	/* Buffer of the next free slot, whose content is what it was when that slot was last used. */
	uint8_t *(*tx_buf)(struct nic *nic);
	void (*tx_push)(struct nic *nic, unsigned len);
	void (*tx_kick)(struct nic *nic); /* what was pushed goes out */
	/* Everything that has arrived, at most one ring; how many. */
	unsigned (*rx_poll)(struct nic *nic, nic_rx_fn fn, void *arg);
};

struct nic {
	const struct nic_ops *ops;
	struct pci_dev pci;
	uint8_t mac[6];
	uint64_t kicks;
	const char *ring; /* its layout, for the log */
	void *priv;
};

extern const struct nic_ops virtio_net_ops, e1000_ops;


#endif
