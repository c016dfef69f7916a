// SPDX-License-Identifier: MIT
/*
 * What a driver may write when (virtio 1.3, 2.1, 2.2, 3.1, 4.1.4.3.1):
 *
 *   driver_feature            until FEATURES_OK
 *   queue_size, _desc, ...    until the queue is enabled; with queue_reset again after that, while the
 *                             device runs
 *   queue_enable              1 only, from FEATURES_OK on
 *   device_status             bits can be set, and all cleared by writing 0
 *
 * What comes at another time is ignored: the rings that are in use do not move under the device.
 */
#include <linux/virtio_pci.h>
#include <string.h>

#include "base/log.h"
#include "vmm/virtio/common.h"

#define S_KNOWN                                                                                    \
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_DRIVER_OK |        \
	 VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_FAILED)

/* Not yet in every linux/virtio_pci.h. */
#define COMMON_Q_NDATA 56
#define COMMON_Q_RESET 58

static uint8_t status_now(const struct virtio_dev *vd)
{
	return __atomic_load_n(&vd->status, __ATOMIC_ACQUIRE);
}

static struct virtio_queue *selected_queue(struct virtio_dev *vd)
{
	return vd->queue_sel < vd->n_queues ? &vd->q[vd->queue_sel] : NULL;
}

static void queue_defaults(struct virtio_queue *q)
{
	q->layout = (struct virtq_layout){.size = q->max_size};
	__atomic_store_n(&q->vector, VIRTIO_NO_VECTOR, __ATOMIC_RELAXED);
	q->enabled = false;
}

void virtio_common_init(struct virtio_dev *vd)
{
	for (unsigned i = 0; i < vd->n_queues; i++) {
		queue_defaults(&vd->q[i]);
		vd->q[i].was_reset = false;
	}
	vd->features = 0;
	vd->dev_feature_sel = vd->drv_feature_sel = 0;
	vd->queue_sel = 0;
	__atomic_store_n(&vd->config_vector, VIRTIO_NO_VECTOR, __ATOMIC_RELAXED);
	__atomic_store_n(&vd->status, 0, __ATOMIC_RELEASE);
}

static void device_reset(void *arg)
{
	struct virtio_dev *vd = arg;

	if (vd->started) {
		vd->started = false;
		for (unsigned i = 0; i < vd->n_queues; i++)
			if (vd->q[i].enabled)
				virtio_doorbell(vd, i, false);
		vd->ops->stop(vd);
	}
	virtio_common_init(vd);
	virtio_isr_clear(vd);
}

void virtio_device_reset(struct virtio_dev *vd)
{
	vm_control(vd->pci->vm, device_reset, vd);
}

/* The eventfd of a queue's vector is made here, on the control thread: those that raise it may not. */
static void vector_start(struct virtio_dev *vd, unsigned i)
{
	if (vd->ioeventfd && vd->q[i].vector != VIRTIO_NO_VECTOR)
		pci_irq_fd(vd->pci, vd->q[i].vector);
}

static void device_start(void *arg)
{
	struct virtio_dev *vd = arg;

	for (unsigned i = 0; i < vd->n_queues; i++)
		if (vd->q[i].enabled)
			vector_start(vd, i);
	vd->started = true;
	if (vd->ops->start(vd)) {
		log_guest("%s: cannot start; it needs a reset", vd->pci->name);
		__atomic_fetch_or(&vd->status, VIRTIO_CONFIG_S_NEEDS_RESET, __ATOMIC_ACQ_REL);
	}
	for (unsigned i = 0; i < vd->n_queues; i++)
		if (vd->q[i].enabled)
			virtio_doorbell(vd, i, true);
}

static bool features_acceptable(struct virtio_dev *vd)
{
	if (vd->features & ~vd->offered || !virtio_has(vd, VIRTIO_F_VERSION_1))
		return false;
	return !vd->ops->features_ok || vd->ops->features_ok(vd, vd->features);
}

static void write_status(struct virtio_dev *vd, uint8_t val)
{
	uint8_t old = status_now(vd), set = val & S_KNOWN & (uint8_t)~old;

	if (!val) {
		virtio_device_reset(vd);
		return;
	}
	if (set & VIRTIO_CONFIG_S_FEATURES_OK && !features_acceptable(vd))
		set &= (uint8_t)~VIRTIO_CONFIG_S_FEATURES_OK;
	if (!((old | set) & VIRTIO_CONFIG_S_FEATURES_OK))
		set &= (uint8_t)~VIRTIO_CONFIG_S_DRIVER_OK;
	__atomic_fetch_or(&vd->status, set, __ATOMIC_ACQ_REL);
	if (set & VIRTIO_CONFIG_S_DRIVER_OK)
		vm_control(vd->pci->vm, device_start, vd);
}

static void write_driver_feature(struct virtio_dev *vd, uint32_t val)
{
	unsigned shift = 32 * vd->drv_feature_sel;

	if (status_now(vd) & VIRTIO_CONFIG_S_FEATURES_OK || vd->drv_feature_sel > 1)
		return;
	vd->features = (vd->features & ~(0xffffffffull << shift)) | (uint64_t)val << shift;
}

/* The selected queue if its registers may be written now. */
static struct virtio_queue *writable_queue(struct virtio_dev *vd)
{
	struct virtio_queue *q = selected_queue(vd);

	if (!q || q->enabled || (status_now(vd) & VIRTIO_CONFIG_S_DRIVER_OK && !q->was_reset))
		return NULL;
	return q;
}

static void write_queue_size(struct virtio_dev *vd, uint16_t size)
{
	struct virtio_queue *q = writable_queue(vd);

	if (q && size && size <= q->max_size &&
	    (virtio_has(vd, VIRTIO_F_RING_PACKED) || is_pow2(size)))
		q->layout.size = size;
}

static void queue_start(void *arg)
{
	struct virtio_dev *vd = arg;

	vector_start(vd, vd->queue_sel);
	virtio_doorbell(vd, vd->queue_sel, true);
	if (vd->ops->queue_start(vd, vd->queue_sel))
		virtio_broken(vd, vd->queue_sel);
}

static void queue_stop(void *arg)
{
	struct virtio_dev *vd = arg;

	virtio_doorbell(vd, vd->queue_sel, false);
	vd->ops->queue_stop(vd, vd->queue_sel);
}

static void queue_enable(struct virtio_dev *vd, uint16_t val)
{
	struct virtio_queue *q = writable_queue(vd);

	if (val != 1 || !q || !(status_now(vd) & VIRTIO_CONFIG_S_FEATURES_OK))
		return;
	q->enabled = true;
	if (!vd->started)
		return;
	q->was_reset = false;
	vm_control(vd->pci->vm, queue_start, vd);
}

static void queue_reset(struct virtio_dev *vd, uint16_t val)
{
	struct virtio_queue *q = selected_queue(vd);

	if (val != 1 || !q || !q->enabled || !vd->started || !virtio_has(vd, VIRTIO_F_RING_RESET))
		return;
	vm_control(vd->pci->vm, queue_stop, vd);
	queue_defaults(q);
	q->was_reset = true;
}

static uint16_t good_vector(const struct virtio_dev *vd, uint16_t v)
{
	return v < vd->pci->n_vectors ? v : VIRTIO_NO_VECTOR;
}

static void write_queue_vector(struct virtio_dev *vd, uint16_t v)
{
	struct virtio_queue *q = selected_queue(vd);

	/* The vector of a running queue stays: its backend has been given the interrupt. */
	if (q && !(q->enabled && vd->started))
		__atomic_store_n(&q->vector, good_vector(vd, v), __ATOMIC_RELAXED);
}

/* The address register at that offset of the common configuration. */
static gpa_t *addr_reg(struct virtio_queue *q, uint64_t off)
{
	if (off < VIRTIO_PCI_COMMON_Q_AVAILLO)
		return &q->layout.desc;
	return off < VIRTIO_PCI_COMMON_Q_USEDLO ? &q->layout.driver : &q->layout.device;
}

static void write_addr(struct virtio_dev *vd, uint64_t off, unsigned len, uint64_t val)
{
	struct virtio_queue *q = writable_queue(vd);

	if (q && (len == 4 || len == 8))
		memcpy((char *)addr_reg(q, off) + off % 8, &val, len);
}

void virtio_common_write(struct virtio_dev *vd, uint64_t off, unsigned len, uint64_t val)
{
	switch (off << 8 | len) {
	case VIRTIO_PCI_COMMON_DFSELECT << 8 | 4:
		vd->dev_feature_sel = (uint32_t)val;
		break;
	case VIRTIO_PCI_COMMON_GFSELECT << 8 | 4:
		vd->drv_feature_sel = (uint32_t)val;
		break;
	case VIRTIO_PCI_COMMON_GF << 8 | 4:
		write_driver_feature(vd, (uint32_t)val);
		break;
	case VIRTIO_PCI_COMMON_MSIX << 8 | 2:
		__atomic_store_n(&vd->config_vector, good_vector(vd, (uint16_t)val),
				 __ATOMIC_RELAXED);
		break;
	case VIRTIO_PCI_COMMON_STATUS << 8 | 1:
		write_status(vd, (uint8_t)val);
		break;
	case VIRTIO_PCI_COMMON_Q_SELECT << 8 | 2:
		vd->queue_sel = (uint16_t)val;
		break;
	case VIRTIO_PCI_COMMON_Q_SIZE << 8 | 2:
		write_queue_size(vd, (uint16_t)val);
		break;
	case VIRTIO_PCI_COMMON_Q_MSIX << 8 | 2:
		write_queue_vector(vd, (uint16_t)val);
		break;
	case VIRTIO_PCI_COMMON_Q_ENABLE << 8 | 2:
		queue_enable(vd, (uint16_t)val);
		break;
	case COMMON_Q_RESET << 8 | 2:
		queue_reset(vd, (uint16_t)val);
		break;
	default:
		if (off >= VIRTIO_PCI_COMMON_Q_DESCLO && off < COMMON_Q_NDATA)
			write_addr(vd, off, len, val);
	}
}

static uint64_t read_queue(struct virtio_dev *vd, uint64_t off, unsigned len)
{
	struct virtio_queue *q = selected_queue(vd);
	uint64_t val = 0;

	if (!q) /* a queue that does not exist has size 0 (4.1.4.3) */
		return bits_if(off == VIRTIO_PCI_COMMON_Q_MSIX, VIRTIO_NO_VECTOR);
	switch (off) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		return q->layout.size;
	case VIRTIO_PCI_COMMON_Q_MSIX:
		return q->vector;
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		return q->enabled;
	case VIRTIO_PCI_COMMON_Q_NOFF:
	case COMMON_Q_NDATA:
		return vd->queue_sel;
	}
	if (off < VIRTIO_PCI_COMMON_Q_DESCLO || off >= COMMON_Q_NDATA)
		return 0; /* queue_reset reads 0 as well, because a reset is over when its write returns */
	memcpy(&val, (const char *)addr_reg(q, off) + off % 8, MIN(len, 8 - off % 8));
	return val;
}

static uint32_t feature_word(uint64_t features, uint32_t sel)
{
	return sel > 1 ? 0 : (uint32_t)(features >> 32 * sel);
}

uint64_t virtio_common_read(struct virtio_dev *vd, uint64_t off, unsigned len)
{
	switch (off) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		return vd->dev_feature_sel;
	case VIRTIO_PCI_COMMON_DF:
		return feature_word(vd->offered, vd->dev_feature_sel);
	case VIRTIO_PCI_COMMON_GFSELECT:
		return vd->drv_feature_sel;
	case VIRTIO_PCI_COMMON_GF:
		return feature_word(vd->features, vd->drv_feature_sel);
	case VIRTIO_PCI_COMMON_MSIX:
		return vd->config_vector;
	case VIRTIO_PCI_COMMON_NUMQ:
		return vd->n_queues;
	case VIRTIO_PCI_COMMON_STATUS:
		return status_now(vd);
	case VIRTIO_PCI_COMMON_CFGGENERATION:
		return __atomic_load_n(&vd->generation, __ATOMIC_ACQUIRE);
	case VIRTIO_PCI_COMMON_Q_SELECT:
		return vd->queue_sel;
	default:
		return read_queue(vd, off, len);
	}
}
