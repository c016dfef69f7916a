// SPDX-License-Identifier: MIT
#include "workloads/micro/virtio.h"

/* struct virtio_pci_cap */
enum { CAP_TYPE = 3, CAP_BAR = 4, CAP_OFFSET = 8, CAP_NOTIFY_MULTIPLIER = 16 };
enum { TYPE_COMMON = 1, TYPE_NOTIFY = 2, TYPE_ISR = 3, TYPE_DEVICE = 4 };

#define AVAIL_NO_INTERRUPT 1
#define USED_NO_NOTIFY     1
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
	q->bell_is_port = v->notify_is_port;
	q->bell = v->notify + (uint64_t)mmio_read16(v->common + COMMON_Q_NOFF) * v->notify_multiplier;
	q->avail->flags = AVAIL_NO_INTERRUPT; /* polled; with event_idx: used_event below */
	q->avail->ring[q->size] = 0xffff;
	return true;
}

void virtq_ring(const struct vq *q)
{
	if (q->bell_is_port)
		outw((uint16_t)q->bell, (uint16_t)q->index);
	else
		mmio_write16(q->bell, (uint16_t)q->index);
}

/* 2.7.7.2 and 2.7.10.1: with event_idx the device names the entry it wants to be told of. */
static bool wants_kick(const struct vq *q)
{
	const volatile uint16_t *event = (const volatile uint16_t *)&q->used->ring[q->size];

	if (!q->event_idx)
		return !(q->used->flags & USED_NO_NOTIFY);
	return (uint16_t)(q->avail_idx - *event - 1) < (uint16_t)(q->avail_idx - q->kicked_idx);
}

bool virtq_publish(struct vq *q, unsigned n)
{
	bool kick;

	q->avail_idx = (uint16_t)(q->avail_idx + n);
	__atomic_store_n(&q->avail->idx, q->avail_idx, __ATOMIC_RELEASE);
	/* No interrupt until the used index has gone all the way round: we poll. */
	q->avail->ring[q->size] = (uint16_t)(q->used_idx - 1);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* our index before the device's wish */
	kick = wants_kick(q);
	q->kicked_idx = q->avail_idx;
	if (kick)
		virtq_ring(q);
	return kick;
}
