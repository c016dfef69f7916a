// SPDX-License-Identifier: MIT
#include "workloads/micro/virtio.h"

/* struct virtio_pci_cap */
enum { CAP_TYPE = 3, CAP_BAR = 4, CAP_OFFSET = 8, CAP_NOTIFY_MULTIPLIER = 16 };
enum { TYPE_COMMON = 1, TYPE_NOTIFY = 2, TYPE_ISR = 3, TYPE_DEVICE = 4 };

#define AVAIL_NO_INTERRUPT 1
#define USED_NO_NOTIFY     1
#define PACKED_AVAIL       (1u << 7)
#define PACKED_USED        (1u << 15)
enum { EVENT_ENABLE, EVENT_DISABLE, EVENT_DESC };
#define RESET_TIMEOUT_NS   (1000 * NS_PER_MS)

bool virtio_open(struct virtio *v, struct pci_dev *pci)
{
	*v = (struct virtio){.pci = pci};
	for (unsigned at = pci_cap(pci, PCI_CAP_VENDOR, 0); at; at = pci_cap(pci, PCI_CAP_VENDOR, at)) {
		unsigned bar = pci_read(pci, at + CAP_BAR, 1) % PCI_BARS;
		uint64_t addr = pci->bar[bar] + pci_read(pci, at + CAP_OFFSET, 4);

		switch (pci_read(pci, at + CAP_TYPE, 1)) {
		case TYPE_COMMON:
			v->common = addr;
			break;
		case TYPE_ISR:
			v->isr = addr;
			break;
		case TYPE_DEVICE:
			v->device = addr;
			break;
		case TYPE_NOTIFY:
			/* The device lists the one it prefers first (4.1.4.1). */
			if (v->notify)
				break;
			v->notify = addr;
			v->notify_is_port = pci->bar_is_port[bar];
			v->notify_multiplier = pci_read(pci, at + CAP_NOTIFY_MULTIPLIER, 4);
			break;
		}
	}
	return v->common && v->notify;
}

uint8_t virtio_status(const struct virtio *v)
{
	return mmio_read8(v->common + COMMON_STATUS);
}

void virtio_set_status(const struct virtio *v, uint8_t status)
{
	mmio_write8(v->common + COMMON_STATUS, status);
}

bool virtio_reset(const struct virtio *v)
{
	uint64_t end = rdtsc() + ns_to_tsc(RESET_TIMEOUT_NS);

	virtio_set_status(v, 0);
	while (virtio_status(v))
		if (rdtsc() > end)
			return false;
	return true;
}

bool virtio_negotiate(struct virtio *v, uint64_t wanted)
{
	uint8_t status = VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER;
	uint64_t offered;

	if (!virtio_reset(v))
		return false;
	virtio_set_status(v, VIRTIO_ACKNOWLEDGE);
	virtio_set_status(v, status);
	mmio_write32(v->common + COMMON_DFSELECT, 0);
	offered = mmio_read32(v->common + COMMON_DF);
	mmio_write32(v->common + COMMON_DFSELECT, 1);
	offered |= (uint64_t)mmio_read32(v->common + COMMON_DF) << 32;
	v->features = offered & wanted;
	mmio_write32(v->common + COMMON_GFSELECT, 0);
	mmio_write32(v->common + COMMON_GF, (uint32_t)v->features);
	mmio_write32(v->common + COMMON_GFSELECT, 1);
	mmio_write32(v->common + COMMON_GF, (uint32_t)(v->features >> 32));
	virtio_set_status(v, status | VIRTIO_FEATURES_OK);
	return virtio_status(v) & VIRTIO_FEATURES_OK;
}

void virtq_program(const struct virtio *v, const struct vq *q)
{
	mmio_write16(v->common + COMMON_Q_SELECT, (uint16_t)q->index);
	mmio_write16(v->common + COMMON_Q_SIZE, (uint16_t)q->size);
	for (unsigned half = 0; half < 8; half += 4) {
		mmio_write32(v->common + COMMON_Q_DESC + half, (uint32_t)((uint64_t)q->desc >> 8 * half));
		mmio_write32(v->common + COMMON_Q_DRIVER + half, (uint32_t)((uint64_t)q->avail >> 8 * half));
		mmio_write32(v->common + COMMON_Q_DEVICE + half, (uint32_t)((uint64_t)q->used >> 8 * half));
	}
	mmio_write16(v->common + COMMON_Q_MSIX, 0xffff);
	mmio_write16(v->common + COMMON_Q_ENABLE, 1);
}

bool virtq_alloc(struct virtio *v, struct vq *q, unsigned index, unsigned max)
{
	unsigned size;

	mmio_write16(v->common + COMMON_Q_SELECT, (uint16_t)index);
	size = mmio_read16(v->common + COMMON_Q_SIZE);
	if (!size)
		return false;
	*q = (struct vq){.index = index, .size = MIN(size, max)};
	q->desc = mem_alloc(q->size * sizeof(*q->desc), 4096);
	q->avail = mem_alloc(6 + 2 * q->size, 4096);
	q->used = mem_alloc(6 + 8 * q->size, 4096);
	if (!q->desc || !q->avail || !q->used)
		return false;
	q->event_idx = v->features & VIRTIO_F_EVENT_IDX;
	q->packed = v->features & VIRTIO_F_PACKED;
	q->bell_is_port = v->notify_is_port;
	q->bell = v->notify + (uint64_t)mmio_read16(v->common + COMMON_Q_NOFF) * v->notify_multiplier;
	/* Polled. */
	if (q->packed) {
		q->driver_event->flags = EVENT_DISABLE;
	} else {
		q->avail->flags = AVAIL_NO_INTERRUPT;
		q->avail->ring[q->size] = 0xffff; /* used_event */
	}
	return true;
}

void virtq_ring(const struct vq *q)
{
	if (q->bell_is_port)
		outw((uint16_t)q->bell, (uint16_t)q->index);
	else
		mmio_write16(q->bell, (uint16_t)q->index);
}

/* The lap of a free-running index is the ring's wrap counter: 1 in the first. */
static bool ring_lap(const struct vq *q, uint16_t idx)
{
	return !(idx / q->size & 1);
}

static uint16_t avail_bits(const struct vq *q, uint16_t idx)
{
	return ring_lap(q, idx) ? PACKED_AVAIL : PACKED_USED;
}

/* Of the first one the flags come last, in virtq_publish: then the device sees them all. */
static void packed_add(struct vq *q, uint16_t id, uint64_t addr, uint32_t len, uint16_t flags)
{
	uint16_t at = (uint16_t)(q->avail_idx + q->added);
	volatile struct packed_desc *d = &q->packed_desc[at % q->size];

	d->addr = addr;
	d->len = len;
	d->id = id;
	if (q->added)
		d->flags = flags | avail_bits(q, at);
	else
		q->first_flags = flags;
}

void virtq_add(struct vq *q, uint16_t id, uint64_t addr, uint32_t len, uint16_t flags)
{
	if (q->packed) {
		packed_add(q, id, addr, len, flags);
	} else {
		q->desc[id] = (struct vring_desc){addr, len, flags, 0};
		q->avail->ring[(uint16_t)(q->avail_idx + q->added) % q->size] = id;
	}
	q->added++;
}

/* 2.8.1: used when both bits are the lap's. */
static bool packed_used(struct vq *q, uint16_t *id, uint32_t *len)
{
	volatile struct packed_desc *d = &q->packed_desc[q->used_idx % q->size];
	uint16_t flags = __atomic_load_n(&d->flags, __ATOMIC_ACQUIRE);
	bool wrap = ring_lap(q, q->used_idx);

	if (q->used_idx == q->avail_idx || !!(flags & PACKED_AVAIL) != wrap ||
	    !!(flags & PACKED_USED) != wrap)
		return false;
	*id = d->id;
	*len = d->len;
	q->used_idx++;
	return true;
}

bool virtq_used(struct vq *q, uint16_t *id, uint32_t *len)
{
	if (q->packed)
		return packed_used(q, id, len);
	if (q->used_idx == __atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE))
		return false;
	*id = (uint16_t)q->used->ring[q->used_idx % q->size].id;
	*len = q->used->ring[q->used_idx % q->size].len;
	q->used_idx++;
	return true;
}

static bool event_passed(uint16_t event, uint16_t now, uint16_t was)
{
	return (uint16_t)(now - event - 1) < (uint16_t)(now - was);
}

/* 2.8.10: an offset and its lap say which descriptor the device wants to be told of. */
static bool packed_wants_kick(const struct vq *q)
{
	uint16_t off = q->device_event->off_wrap, flags = q->device_event->flags;
	uint16_t event = (uint16_t)(q->avail_idx / q->size * q->size + (off & 0x7fff));

	if (flags != EVENT_DESC || !q->event_idx)
		return flags != EVENT_DISABLE;
	if ((off >> 15) != ring_lap(q, q->avail_idx))
		event = (uint16_t)(event - q->size);
	return event_passed(event, q->avail_idx, q->kicked_idx);
}

/* 2.7.7.2 and 2.7.10.1: with event_idx the device names the entry it wants to be told of. */
static bool wants_kick(const struct vq *q)
{
	const volatile uint16_t *event = (const volatile uint16_t *)&q->used->ring[q->size];

	if (q->packed)
		return packed_wants_kick(q);
	if (!q->event_idx)
		return !(q->used->flags & USED_NO_NOTIFY);
	return event_passed(*event, q->avail_idx, q->kicked_idx);
}

static void show_added(struct vq *q)
{
	volatile struct packed_desc *first = &q->packed_desc[q->avail_idx % q->size];
	uint16_t flags = (uint16_t)(q->first_flags | avail_bits(q, q->avail_idx));

	q->avail_idx = (uint16_t)(q->avail_idx + q->added);
	if (q->packed) {
		__atomic_store_n(&first->flags, flags, __ATOMIC_RELEASE);
		return;
	}
	__atomic_store_n(&q->avail->idx, q->avail_idx, __ATOMIC_RELEASE);
	/* No interrupt until the used index has gone all the way round: we poll. */
	q->avail->ring[q->size] = (uint16_t)(q->used_idx - 1);
}

bool virtq_publish(struct vq *q)
{
	bool kick;

	if (!q->added)
		return false;
	show_added(q);
	q->added = 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* our buffers before the device's wish */
	kick = wants_kick(q);
	q->kicked_idx = q->avail_idx;
	if (kick)
		virtq_ring(q);
	return kick;
}
