/* SPDX-License-Identifier: MIT */
/* A virtio-pci device (virtio 1.3, 4.1) with split or packed rings, as a driver sees it. */
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

#define VIRTIO_F_INDIRECT  (1ull << 28)
#define VIRTIO_F_EVENT_IDX (1ull << 29)
#define VIRTIO_F_PACKED    (1ull << 34)
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

/*
 * 2.8: one ring of descriptors that both sides write; what the driver and the device want to be
 * told of.
 */
struct packed_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t id, flags;
};

struct packed_event {
	uint16_t off_wrap, flags;
};

struct vq {
	unsigned index, size;
	union {
		struct vring_desc *desc;
		volatile struct packed_desc *packed_desc;
	};
	union {
		struct vring_avail *avail;
		volatile struct packed_event *driver_event;
	};
	union {
		volatile struct vring_used *used;
		volatile struct packed_event *device_event;
	};
	uint16_t avail_idx, kicked_idx, used_idx; /* free running, of a packed ring too */
	unsigned added;                           /* and not yet published */
	uint16_t first_flags;                     /* packed: of the first of them */
	bool event_idx, packed;
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
/* Buffer id, of one descriptor, in the next place. At most size of them are in flight. */
void virtq_add(struct vq *q, uint16_t id, uint64_t addr, uint32_t len, uint16_t flags);
/* The next buffer that came back; false: none. */
bool virtq_used(struct vq *q, uint16_t *id, uint32_t *len);
/* Make what was added visible and kick if the device wants it. True: kicked. */
bool virtq_publish(struct vq *q);

#endif
