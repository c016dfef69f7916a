// SPDX-License-Identifier: MIT
/* The PCI side of a virtio device while it runs: notifications, interrupts, the ISR, the configuration
 * window. */
#include <linux/virtio_pci.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/core/eventfd.h"
#include "vmm/virtio/common.h"

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

static void signal_fd(const struct virtio_dev *vd, int fd)
{
	if (vd->fds_out)
		eventfd_signal(fd);
	else
		eventfd_signal_own(fd);
}

void virtio_call(struct virtio_dev *vd, unsigned q)
{
	uint16_t vector = load16(&vd->q[q].vector);
	int fd = -1;

	if (!pci_msix_enabled(vd->pci)) {
		isr_raise(vd, ISR_QUEUE);
		return;
	}
	if (vector == VIRTIO_NO_VECTOR)
		return;
	if (vd->ioeventfd)
		fd = pci_irq_fd_made(vd->pci, vector);
	if (fd >= 0)
		signal_fd(vd, fd);
	else
		pci_irq_msg(vd->pci, vector);
}

int virtio_call_fd(struct virtio_dev *vd, unsigned q)
{
	uint16_t vector = load16(&vd->q[q].vector);
	int fd = -1;

	vd->fds_out = true;
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

static void notify_queue(struct virtio_dev *vd, uint64_t off)
{
	uint64_t q = off / NOTIFY_STEP;

	if (q >= vd->n_queues || !vd->q[q].enabled || !vd->started)
		return;
	if ((int)q == vd->sync_queue)
		vd->ops->notify(vd, (unsigned)q);
	else
		signal_fd(vd, vd->q[q].kick_fd);
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
		if (off % REGION_SIZE)
			return 0;
		return isr_read(vd);
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
		notify_queue(vd, off);
	} else if (bar == BAR_MEM) {
		if (off / REGION_SIZE == REGION_COMMON)
			virtio_common_write(vd, off, len, val);
		else if (off / REGION_SIZE == REGION_DEVICE && vd->ops->config_write)
			vd->ops->config_write(vd, (unsigned)(off % REGION_SIZE), len, val);
		else if (off / REGION_SIZE == REGION_NOTIFY)
			notify_queue(vd, off % REGION_SIZE);
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
static bool cfg_window(const struct virtio_dev *vd, int *bar, uint64_t *off, unsigned *len)
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
	*val = 0;
	if (cfg_window(vd, &bar, &w_off, &w_len))
		*val = (uint32_t)virtio_bar_read(dev, bar, w_off, w_len);
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
	if (cfg_window(vd, &bar, &w_off, &w_len) && len >= w_len)
		virtio_bar_write(dev, bar, w_off, w_len, val);
	return true;
}
