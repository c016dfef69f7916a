/* SPDX-License-Identifier: MIT */
/* A virtio-pci device (virtio 1.3, 4.1) with split rings, as a driver sees it. */
#ifndef WORKLOADS_MICRO_VIRTIO_H
#define WORKLOADS_MICRO_VIRTIO_H

#include "workloads/micro/pci.h"

#define VIRTIO_VENDOR 0x1af4
#define VIRTIO_ID_NET 0x1041 /* modern; 0x1000 transitional */

enum {
	VIRTIO_ACKNOWLEDGE = 1,
	VIRTIO_DRIVER = 2,
	VIRTIO_DRIVER_OK = 4,
	VIRTIO_FEATURES_OK = 8,
	VIRTIO_NEEDS_RESET = 64,
};

#define VIRTIO_F_EVENT_IDX (1ull << 29)
#define VIRTIO_F_VERSION_1 (1ull << 32)
#define VIRTIO_NET_F_MAC   (1ull << 5)

/* struct virtio_pci_common_cfg */
enum {
	COMMON_DFSELECT = 0,
	COMMON_DF = 4,
	COMMON_GFSELECT = 8,
	COMMON_GF = 12,
	COMMON_MSIX = 16,
	COMMON_NUM_QUEUES = 18,
	COMMON_STATUS = 20,
	COMMON_Q_SELECT = 22,
	COMMON_Q_SIZE = 24,
	COMMON_Q_MSIX = 26,
	COMMON_Q_ENABLE = 28,
	COMMON_Q_NOFF = 30,
	COMMON_Q_DESC = 32,
	COMMON_Q_DRIVER = 40,
	COMMON_Q_DEVICE = 48,
	COMMON_BYTES = 56,
};

enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4 };

struct vring_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

struct vring_avail {
	uint16_t flags, idx, ring[]; /* then used_event */
};

struct vring_used {
	uint16_t flags, idx;
	struct {
		uint32_t id, len;
	} ring[]; /* then avail_event */
};

struct vq {
	unsigned index, size;
	struct vring_desc *desc;
	struct vring_avail *avail;
	volatile struct vring_used *used;
	uint16_t avail_idx, kicked_idx, used_idx; /* free running */
	bool event_idx;
	uint64_t bell; /* address or port */
	bool bell_is_port;
};

struct virtio {
	struct pci_dev *pci;
	uint64_t common, device, isr;
	uint64_t notify;
	bool notify_is_port;
	uint32_t notify_multiplier;
	uint64_t features;
};

/* Find the structures in the capability list. */
bool virtio_open(struct virtio *v, struct pci_dev *pci);
/* Reset and wait for it; false when the device does not come back. */
bool virtio_reset(const struct virtio *v);
/* Reset, then up to FEATURES_OK with what is both offered and wanted. */
bool virtio_negotiate(struct virtio *v, uint64_t wanted);
/* A queue of at most max entries in fresh memory, of which the device does not know yet. */
bool virtq_alloc(struct virtio *v, struct vq *q, unsigned index, unsigned max);
/* Tell the device where the queue is, and enable it; from then on it stays there. */
void virtq_program(const struct virtio *v, const struct vq *q);
uint8_t virtio_status(const struct virtio *v);
void virtio_set_status(const struct virtio *v, uint8_t status);

void virtq_ring(const struct vq *q); /* the doorbell, unconditionally */
/*
 * Make n more entries of avail visible (the ring is filled already) and kick if the device wants it. True:
 * kicked.
 */
bool virtq_publish(struct vq *q, unsigned n);

#endif
