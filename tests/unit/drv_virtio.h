/* SPDX-License-Identifier: MIT */
/*
 * A driver of the one virtio device of a test: registers, features, rings. After cmocka's headers.
 */
#ifndef TESTS_UNIT_DRV_VIRTIO_H
#define TESTS_UNIT_DRV_VIRTIO_H

#include <linux/virtio_pci.h>
#include "tests/unit/drv_ring.h"
#include "tests/unit/fake.h"
#include "vmm/virtio/virtio.h"

#define BAR	  4
#define ISR	  0x1000
#define DEVCFG	  0x2000
#define NOTIFY	  0x3000
#define RESET_REG 58

#define RING_GPA 0x100000
#define RING_GAP 0x40000
#define BUF_GPA	 0x800000

#define V1 (1ull << VIRTIO_F_VERSION_1)

static struct vm *vm;
static struct pci_dev *dev;
static struct drv_ring ring[VIRTIO_QUEUES_MAX];

static inline uint64_t rd(unsigned off, unsigned len)
{
	return fake_read(dev, BAR, off, len);
}

static inline void wr(unsigned off, unsigned len, uint64_t val)
{
	fake_write(dev, BAR, off, len, val);
}

static inline void add_status(uint8_t bits)
{
	wr(VIRTIO_PCI_COMMON_STATUS, 1, rd(VIRTIO_PCI_COMMON_STATUS, 1) | bits);
}

static inline uint8_t get_status(void)
{
	return (uint8_t)rd(VIRTIO_PCI_COMMON_STATUS, 1);
}

static inline uint64_t offered(void)
{
	uint64_t f;

	wr(VIRTIO_PCI_COMMON_DFSELECT, 4, 0);
	f = rd(VIRTIO_PCI_COMMON_DF, 4);
	wr(VIRTIO_PCI_COMMON_DFSELECT, 4, 1);
	return f | rd(VIRTIO_PCI_COMMON_DF, 4) << 32;
}

static inline bool negotiate(uint64_t f)
{
	wr(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	add_status(VIRTIO_CONFIG_S_ACKNOWLEDGE);
	add_status(VIRTIO_CONFIG_S_DRIVER);
	wr(VIRTIO_PCI_COMMON_GFSELECT, 4, 0);
	wr(VIRTIO_PCI_COMMON_GF, 4, (uint32_t)f);
	wr(VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
	wr(VIRTIO_PCI_COMMON_GF, 4, f >> 32);
	add_status(VIRTIO_CONFIG_S_FEATURES_OK);
	return get_status() & VIRTIO_CONFIG_S_FEATURES_OK;
}

static inline void wr64(unsigned off, uint64_t val)
{
	wr(off, 4, (uint32_t)val);
	wr(off + 4, 4, val >> 32);
}

static inline void set_queue(unsigned q, uint16_t size, uint64_t features)
{
	drv_ring_init(&ring[q], dev->gm, RING_GPA + q * RING_GAP, size, features);
	wr(VIRTIO_PCI_COMMON_Q_SELECT, 2, q);
	wr(VIRTIO_PCI_COMMON_Q_SIZE, 2, size);
	wr(VIRTIO_PCI_COMMON_Q_MSIX, 2, q);
	wr64(VIRTIO_PCI_COMMON_Q_DESCLO, ring[q].l.desc);
	wr64(VIRTIO_PCI_COMMON_Q_AVAILLO, ring[q].l.driver);
	wr64(VIRTIO_PCI_COMMON_Q_USEDLO, ring[q].l.device);
	wr(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
}

static inline void bring_up(uint64_t features, unsigned queues)
{
	assert_true(negotiate(features | V1));
	for (unsigned q = 0; q < queues; q++)
		set_queue(q, 64, features);
	add_status(VIRTIO_CONFIG_S_DRIVER_OK);
}

#endif
