// SPDX-License-Identifier: MIT
/* BARs, capabilities, doorbells and knobs of a virtio PCI device (virtio 1.3, 4.1.4). */
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/log.h"
#include "vmm/virtio/common.h"

static int add_cap(struct pci_dev *dev, uint8_t type, uint8_t bar, uint32_t off, uint32_t len,
		   uint32_t extra, unsigned size)
{
	struct virtio_pci_notify_cap cap = {
		.cap = {.cap_len = (uint8_t)size,
			.cfg_type = type,
			.bar = bar,
			.offset = off,
			.length = len},
		.notify_off_multiplier = extra,
	};

	return pci_add_cap(dev, PCI_CAP_ID_VNDR, (char *)&cap + 2, size - 2);
}

static int add_notify_caps(struct virtio_dev *vd)
{
	const unsigned size = sizeof(struct virtio_pci_notify_cap);
	int at = 0;

	if (vd->pio_notify)
		at = add_cap(vd->pci, VIRTIO_PCI_CAP_NOTIFY_CFG, BAR_PIO, 0,
			     vd->n_queues * NOTIFY_STEP, NOTIFY_STEP, size);
	if (at < 0)
		return at;
	return add_cap(vd->pci, VIRTIO_PCI_CAP_NOTIFY_CFG, BAR_MEM, REGION_NOTIFY * REGION_SIZE,
		       REGION_SIZE, NOTIFY_STEP, size);
}

static int add_caps(struct virtio_dev *vd)
{
	static const struct {
		uint8_t type, region;
	} plain[] = {
		{VIRTIO_PCI_CAP_COMMON_CFG, REGION_COMMON},
		{VIRTIO_PCI_CAP_ISR_CFG, REGION_ISR},
		{VIRTIO_PCI_CAP_DEVICE_CFG, REGION_DEVICE},
	};
	const unsigned cap = sizeof(struct virtio_pci_cap),
		       size = sizeof(struct virtio_pci_cfg_cap);
	int at = 0;

	for (size_t i = 0; i < ARRAY_SIZE(plain) && at >= 0; i++)
		at = add_cap(vd->pci, plain[i].type, BAR_MEM, plain[i].region * REGION_SIZE,
			     REGION_SIZE, 0, cap);
	if (at >= 0)
		at = add_notify_caps(vd);
	if (at >= 0)
		at = add_cap(vd->pci, VIRTIO_PCI_CAP_PCI_CFG, 0, 0, 0, 0, size);
	if (at < 0)
		return at;
	vd->cfg_cap = (unsigned)at;
	/* bar, offset and length are the driver's (4.1.4.9.1); the data is served by virtio_cfg_*. */
	vd->pci->wmask[at + (int)offsetof(struct virtio_pci_cap, bar)] = 0xff;
	memset(vd->pci->wmask + at + offsetof(struct virtio_pci_cap, offset), 0xff, 8);
	return 0;
}

static int add_bars(struct virtio_dev *vd)
{
	uint64_t ports = 4;
	int err = 0;

	while (ports < vd->n_queues * NOTIFY_STEP)
		ports *= 2;
	if (vd->pio_notify)
		err = pci_add_bar(vd->pci, BAR_PIO, PCI_BAR_IO, ports);
	if (!err)
		err = pci_add_bar(vd->pci, BAR_MEM, PCI_BAR_MEM64, REGIONS * REGION_SIZE);
	if (!err && vd->msix)
		err = pci_add_msix(vd->pci, BAR_MSIX, vd->n_queues + 1);
	if (!err)
		pci_add_intx(vd->pci);
	return err;
}

static int add_queue(struct virtio_dev *vd, unsigned i)
{
	struct virtio_queue *q = &vd->q[i];
	bool pio = vd->pio_notify;
	char name[STATS_NAME];

	q->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	q->intx_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (q->kick_fd < 0 || q->intx_fd < 0)
		return -errno;
	snprintf(name, sizeof(name), "%s %s", vd->pci->name, q->name);
	q->stats = vm_stats_queue(vd->pci->vm, name);
	snprintf(name, sizeof(name), "%s kick", q->name);
	if (pio)
		pci_name_reg(vd->pci, BAR_PIO, i * NOTIFY_STEP, NOTIFY_STEP, name);
	pci_name_reg(vd->pci, BAR_MEM, REGION_NOTIFY * REGION_SIZE + i * NOTIFY_STEP, NOTIFY_STEP,
		     name);
	return 0;
}

/* Doorbells exist from DRIVER_OK to reset: a kick before has no one to hear it. */
void virtio_doorbell(struct virtio_dev *vd, unsigned i, bool add)
{
	const uint64_t off = i * NOTIFY_STEP;

	if (!vd->ioeventfd || (int)i == vd->sync_queue)
		return;
	if (vd->pio_notify)
		pci_ioeventfd(vd->pci, BAR_PIO, off, 2, false, 0, vd->q[i].kick_fd, add);
	/* Length 0 lets KVM skip decoding the instruction where the hardware allows (VMX). */
	pci_ioeventfd(vd->pci, BAR_MEM, REGION_NOTIFY * REGION_SIZE + off, 0, false, 0,
		      vd->q[i].kick_fd, add);
}

static int feature_knob(struct virtio_dev *vd, const struct dev_opts *o, const char *key,
			unsigned bit, bool on)
{
	if (dev_opts_bool(o, key, &on))
		return -EINVAL;
	if (!on)
		vd->offered &= ~VIRTIO_BIT(bit);
	return 0;
}

static int parse_knobs(struct virtio_dev *vd, const struct dev_opts *o)
{
	static const char *const irqs[] = {"msix", "intx", "msi", NULL};
	static const char *const rings[] = {"split", "packed", NULL};
	static const char *const notifies[] = {"pio", "mmio", NULL};
	int irq = 0, ring = 0, how = 0, err = 0;

	vd->ioeventfd = true;
	err |= dev_opts_word(o, "irq", irqs, &irq);
	err |= dev_opts_word(o, "ring", rings, &ring);
	err |= dev_opts_word(o, "notify", notifies, &how);
	err |= dev_opts_bool(o, "ioeventfd", &vd->ioeventfd);
	err |= feature_knob(vd, o, "indirect", VIRTIO_RING_F_INDIRECT_DESC, true);
	err |= feature_knob(vd, o, "event_idx", VIRTIO_RING_F_EVENT_IDX, true);
	err |= feature_knob(vd, o, "in_order", VIRTIO_F_IN_ORDER, false);
	if (err)
		return -EINVAL;
	if (irq == 2) {
		log_error(
			"%s: irq=msi: a virtio device has MSI-X or INTx, no MSI; use irq=msix or irq=intx",
			vd->pci->name);
		return -EINVAL;
	}
	if (ring == 1 && !(vd->offered & VIRTIO_BIT(VIRTIO_F_RING_PACKED))) {
		log_error("%s: ring=packed: this mode has no packed rings; use ring=split",
			  vd->pci->name);
		return -EOPNOTSUPP;
	}
	if (ring == 0)
		vd->offered &= ~VIRTIO_BIT(VIRTIO_F_RING_PACKED);
	vd->msix = irq == 0;
	vd->pio_notify = how == 0;
	return 0;
}

int virtio_ring_size(const char *dev_name, const struct dev_opts *opts, uint64_t *size)
{
	if (dev_opts_u64(opts, "size", size, 16, VIRTQ_SIZE_MAX))
		return -EINVAL;
	if (!is_pow2(*size)) {
		log_error("%s: size=%u: a ring has a power of two of entries", dev_name, (unsigned)*size);
		return -EINVAL;
	}
	return 0;
}

int virtio_switch_off(const struct dev_opts *opts, const struct virtio_knob *knobs, size_t n,
		      uint64_t *features)
{
	for (size_t i = 0; i < n; i++) {
		bool on = true;

		if (dev_opts_bool(opts, knobs[i].key, &on))
			return -EINVAL;
		if (!on)
			*features &= ~knobs[i].bits;
	}
	return 0;
}

int virtio_init(struct virtio_dev *vd, struct pci_dev *pci, const struct dev_opts *opts)
{
	int err;

	vd->pci = pci;
	vd->sync_queue = -1;
	vd->offered |= VIRTIO_BIT(VIRTIO_F_VERSION_1);
	if (vd->ops->queue_stop)
		vd->offered |= VIRTIO_BIT(VIRTIO_F_RING_RESET);
	pthread_mutex_init(&vd->isr_lock, NULL);
	for (unsigned i = 0; i < vd->n_queues; i++)
		vd->q[i].kick_fd = vd->q[i].intx_fd = -1;
	err = parse_knobs(vd, opts);
	if (err)
		return err;
	pci_set_id(pci, 0x1af4, (uint16_t)(0x1040 + vd->ops->id), 0x1af4, 0x1100,
		   vd->ops->pci_class << 8 | 1);
	err = add_bars(vd);
	for (unsigned i = 0; i < vd->n_queues && !err; i++)
		err = add_queue(vd, i);
	if (!err)
		err = add_caps(vd);
	virtio_common_init(vd);
	return err;
}

void virtio_exit(struct virtio_dev *vd)
{
	if (!vd->pci)
		return;
	virtio_device_reset(vd);
	for (unsigned i = 0; i < vd->n_queues; i++) {
		close_fd(&vd->q[i].kick_fd);
		close_fd(&vd->q[i].intx_fd);
	}
	pthread_mutex_destroy(&vd->isr_lock);
	vd->pci = NULL;
}
