// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/virtio/common.h"

#define BAR_PIO  0
#define BAR_MSIX 1
#define BAR_MEM  4

#define REGION_SIZE 0x1000
enum { REGION_COMMON, REGION_ISR, REGION_DEVICE, REGION_NOTIFY, REGIONS };

#define NOTIFY_STEP 4 /* notify_off_multiplier */

#define ISR_QUEUE  1
#define ISR_CONFIG 2

/* ---- interrupts ---- */

/* INTx: the line stays up until the driver reads ISR, so raising it again would be a wasted system call. */
static void isr_raise(struct virtio_dev *vd, uint8_t bit)
{
	pthread_mutex_lock(&vd->isr_lock);
	if (!(vd->isr & bit)) {
		vd->isr |= bit;
		pci_irq_intx(vd->pci, true);
	}
	pthread_mutex_unlock(&vd->isr_lock);
}

static uint8_t isr_read(struct virtio_dev *vd)
{
	uint8_t isr;

	pthread_mutex_lock(&vd->isr_lock);
	isr = vd->isr;
	vd->isr = 0;
	if (isr)
		pci_irq_intx(vd->pci, false);
	pthread_mutex_unlock(&vd->isr_lock);
	return isr;
}

static uint16_t load16(const uint16_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static void signal_fd(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) < 0) {
		/*
		 * The counter is full: whoever reads it has not done so for 2^64 signals, one more tells
		 * him nothing.
		 */
	}
}

void virtio_call(struct virtio_dev *vd, unsigned q)
{
	uint16_t vector = load16(&vd->q[q].vector);
	int fd;

	if (!pci_msix_enabled(vd->pci)) {
		isr_raise(vd, ISR_QUEUE);
		return;
	}
	if (vector == VIRTIO_NO_VECTOR)
		return;
	fd = vd->ioeventfd ? pci_irq_fd(vd->pci, vector) : -1;
	if (fd >= 0)
		signal_fd(fd);
	else
		pci_irq_msg(vd->pci, vector);
}

int virtio_call_fd(struct virtio_dev *vd, unsigned q)
{
	uint16_t vector = load16(&vd->q[q].vector);
	int fd = -1;

	if (vd->ioeventfd && pci_msix_enabled(vd->pci) && vector != VIRTIO_NO_VECTOR)
		fd = pci_irq_fd(vd->pci, vector);
	return fd >= 0 ? fd : vd->q[q].intx_fd;
}

static void config_irq(struct virtio_dev *vd)
{
	uint16_t vector = load16(&vd->config_vector);

	if (!(__atomic_load_n(&vd->status, __ATOMIC_ACQUIRE) & VIRTIO_CONFIG_S_DRIVER_OK))
		return;
	if (!pci_msix_enabled(vd->pci))
		isr_raise(vd, ISR_CONFIG);
	else if (vector != VIRTIO_NO_VECTOR)
		pci_irq_msg(vd->pci, vector);
}

void virtio_config_changed(struct virtio_dev *vd)
{
	__atomic_fetch_add(&vd->generation, 1, __ATOMIC_RELEASE);
	config_irq(vd);
}

void virtio_broken(struct virtio_dev *vd, unsigned q)
{
	uint8_t was = __atomic_fetch_or(&vd->status, VIRTIO_CONFIG_S_NEEDS_RESET, __ATOMIC_ACQ_REL);

	log_guest("%s: %s broke the virtio rules; it needs a reset", vd->pci->name, vd->q[q].name);
	if (!(was & VIRTIO_CONFIG_S_NEEDS_RESET))
		config_irq(vd);
}

/* ---- access to the BARs ---- */

static uint64_t config_read(const struct virtio_dev *vd, uint64_t off, unsigned len)
{
	uint64_t val = 0;

	if (range_ok(off, len, vd->config_len))
		memcpy(&val, (const char *)vd->config + off, len);
	else if (off < vd->config_len)
		memcpy(&val, (const char *)vd->config + off, vd->config_len - off);
	return val;
}

static void notify(struct virtio_dev *vd, uint64_t off)
{
	uint64_t q = off / NOTIFY_STEP;

	if (q >= vd->n_queues || !vd->q[q].enabled || !vd->started)
		return;
	if ((int)q == vd->sync_queue)
		vd->ops->notify(vd, (unsigned)q);
	else
		signal_fd(vd->q[q].kick_fd);
}

uint64_t virtio_bar_read(struct pci_dev *dev, int bar, uint64_t off, unsigned len)
{
	struct virtio_dev *vd = dev->priv;

	if (bar != BAR_MEM)
		return 0;
	switch (off / REGION_SIZE) {
	case REGION_COMMON:
		return virtio_common_read(vd, off, len);
	case REGION_ISR:
		return off % REGION_SIZE ? 0 : isr_read(vd);
	case REGION_DEVICE:
		return config_read(vd, off % REGION_SIZE, len);
	default:
		return 0;
	}
}

void virtio_bar_write(struct pci_dev *dev, int bar, uint64_t off, unsigned len, uint64_t val)
{
	struct virtio_dev *vd = dev->priv;

	if (bar == BAR_PIO) {
		notify(vd, off);
	} else if (bar == BAR_MEM) {
		if (off / REGION_SIZE == REGION_COMMON)
			virtio_common_write(vd, off, len, val);
		else if (off / REGION_SIZE == REGION_DEVICE && vd->ops->config_write)
			vd->ops->config_write(vd, (unsigned)(off % REGION_SIZE), len, val);
		else if (off / REGION_SIZE == REGION_NOTIFY)
			notify(vd, off % REGION_SIZE);
	}
}

void virtio_isr_clear(struct virtio_dev *vd)
{
	isr_read(vd);
}

void virtio_reset(struct pci_dev *dev)
{
	virtio_device_reset(dev->priv);
}

/* ---- the PCI_CFG window (4.1.4.9): BAR accesses through configuration space ---- */

/* Where the window points now; false when it points nowhere. */
static bool window(const struct virtio_dev *vd, int *bar, uint64_t *off, unsigned *len)
{
	struct virtio_pci_cfg_cap cap;

	memcpy(&cap, vd->pci->cfg + vd->cfg_cap, sizeof(cap));
	*bar = cap.cap.bar;
	*off = cap.cap.offset;
	*len = cap.cap.length;
	return (*bar == BAR_MEM || *bar == BAR_PIO) && (*len == 1 || *len == 2 || *len == 4) &&
	       !(*off & (*len - 1)) && range_ok(*off, *len, vd->pci->bar[*bar].size);
}

static bool is_window(const struct virtio_dev *vd, unsigned off)
{
	unsigned data = vd->cfg_cap + (unsigned)offsetof(struct virtio_pci_cfg_cap, pci_cfg_data);

	return vd->cfg_cap && off >= data && off < data + 4;
}

bool virtio_cfg_read(struct pci_dev *dev, unsigned off, unsigned len, uint32_t *val)
{
	struct virtio_dev *vd = dev->priv;
	unsigned w_len;
	uint64_t w_off;
	int bar;

	(void)len;
	if (!is_window(vd, off))
		return false;
	*val = window(vd, &bar, &w_off, &w_len) ? (uint32_t)virtio_bar_read(dev, bar, w_off, w_len) : 0;
	return true;
}

bool virtio_cfg_write(struct pci_dev *dev, unsigned off, unsigned len, uint32_t val)
{
	struct virtio_dev *vd = dev->priv;
	unsigned w_len;
	uint64_t w_off;
	int bar;

	if (!is_window(vd, off))
		return false;
	if (window(vd, &bar, &w_off, &w_len) && len >= w_len)
		virtio_bar_write(dev, bar, w_off, w_len, val);
	return true;
}

/* ---- set-up ---- */

static int add_cap(struct pci_dev *dev, uint8_t type, uint8_t bar, uint32_t off, uint32_t len, uint32_t extra,
		   unsigned size)
{
	struct virtio_pci_notify_cap cap = {
		.cap = {.cap_len = (uint8_t)size, .cfg_type = type, .bar = bar, .offset = off, .length = len},
		.notify_off_multiplier = extra,
	};

	return pci_add_cap(dev, PCI_CAP_ID_VNDR, (char *)&cap + 2, size - 2);
}

static int add_notify_caps(struct virtio_dev *vd)
{
	const unsigned size = sizeof(struct virtio_pci_notify_cap);
	int at = 0;

	if (vd->pio_notify)
		at = add_cap(vd->pci, VIRTIO_PCI_CAP_NOTIFY_CFG, BAR_PIO, 0, vd->n_queues * NOTIFY_STEP,
			     NOTIFY_STEP, size);
	if (at < 0)
		return at;
	return add_cap(vd->pci, VIRTIO_PCI_CAP_NOTIFY_CFG, BAR_MEM, REGION_NOTIFY * REGION_SIZE, REGION_SIZE,
		       NOTIFY_STEP, size);
}

static int add_caps(struct virtio_dev *vd)
{
	static const struct { uint8_t type, region; } plain[] = {
		{VIRTIO_PCI_CAP_COMMON_CFG, REGION_COMMON},
		{VIRTIO_PCI_CAP_ISR_CFG, REGION_ISR},
		{VIRTIO_PCI_CAP_DEVICE_CFG, REGION_DEVICE},
	};
	const unsigned cap = sizeof(struct virtio_pci_cap), size = sizeof(struct virtio_pci_cfg_cap);
	int at = 0;

	for (size_t i = 0; i < ARRAY_SIZE(plain) && at >= 0; i++)
		at = add_cap(vd->pci, plain[i].type, BAR_MEM, plain[i].region * REGION_SIZE, REGION_SIZE, 0,
			     cap);
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
	pci_name_reg(vd->pci, BAR_MEM, REGION_NOTIFY * REGION_SIZE + i * NOTIFY_STEP, NOTIFY_STEP, name);
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

static int feature_knob(struct virtio_dev *vd, const struct dev_opts *o, const char *key, unsigned bit,
			bool on)
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
		log_error("%s: irq=msi: a virtio device has MSI-X or INTx, no MSI; use irq=msix or irq=intx", vd->pci->name);
		return -EINVAL;
	}
	if (ring == 1 && !(vd->offered & VIRTIO_BIT(VIRTIO_F_RING_PACKED))) {
		log_error("%s: ring=packed: this mode has no packed rings; use ring=split", vd->pci->name);
		return -EOPNOTSUPP;
	}
	if (ring == 0)
		vd->offered &= ~VIRTIO_BIT(VIRTIO_F_RING_PACKED);
	vd->msix = irq == 0;
	vd->pio_notify = how == 0;
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
