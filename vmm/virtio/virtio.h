/* SPDX-License-Identifier: MIT */
/*
 * A virtio device behind the PCI transport (virtio 1.3, 4.1; modern only). The transport owns status,
 * features, queue registers, notifications and interrupts; the device gives it this table and serves the
 * rings between start and stop.
 *
 *      BAR0  I/O ports: one doorbell of 4 bytes per queue        BAR4  0x0000 common configuration
 *      BAR1  MSI-X                                                     0x1000 ISR
 *                                                                      0x2000 device configuration
 *                                                                      0x3000 doorbells again, as memory
 *
 * Doorbells are ioeventfds, so a kick does not leave the kernel. A port costs the kernel less than memory
 * where it has to decode the instruction (SVM has no fast MMIO): hence two notification capabilities, the
 * ports first.
 *
 * Locking: all virtio_ops run under the PCI device's lock. virtio_call, virtio_broken and
 * virtio_config_changed take no device lock and may come from any thread.
 */
#ifndef VMM_VIRTIO_VIRTIO_H
#define VMM_VIRTIO_VIRTIO_H

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include "vmm/pci/pci.h"
#include "vmm/virtq/virtqueue.h"

#define VIRTIO_QUEUES_MAX 17
#define VIRTIO_NO_VECTOR  0xffff
#define VIRTIO_BIT(n)     (1ull << (n))

/* What every device on our virtqueues can offer. */
#define VIRTIO_RING_BITS                                                                           \
	(VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC) | VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX) |           \
	 VIRTIO_BIT(VIRTIO_F_RING_PACKED) | VIRTIO_BIT(VIRTIO_F_IN_ORDER))

struct virtio_dev;

struct virtio_ops {
	uint16_t id; /* virtio device type */
	uint32_t pci_class;
	/* Optional: may these bits go together? The transport has checked that they were offered. */
	bool (*features_ok)(struct virtio_dev *vd, uint64_t features);
	/* DRIVER_OK. An error is a broken device: NEEDS_RESET. */
	int (*start)(struct virtio_dev *vd);
	/* Reset, only after start. */
	void (*stop)(struct virtio_dev *vd);
	/* One queue of a started device (VIRTIO_F_RING_RESET). NULL: not offered. */
	int (*queue_start)(struct virtio_dev *vd, unsigned q);
	void (*queue_stop)(struct virtio_dev *vd, unsigned q);
	/* The driver rang for vd->sync_queue, which has no eventfd: serve it here and now. */
	void (*notify)(struct virtio_dev *vd, unsigned q);
	/* Optional: the driver wrote device configuration (NULL: all of it is read-only). */
	void (*config_write)(struct virtio_dev *vd, unsigned off, unsigned len, uint64_t val);
};

struct virtio_queue {
	uint16_t max_size;
	const char *name; /* "rxq0": in the statistics page */
	struct stats_queue *stats;
	int kick_fd; /* eventfd */
	int intx_fd; /* eventfd that stands in for the irqfd while there is no MSI-X vector */
	/* As the driver set them. */
	struct virtq_layout layout;
	uint16_t vector;
	bool enabled;
	bool was_reset; /* by queue_reset: may be set up again although the device runs */
};

struct virtio_dev {
	struct pci_dev *pci;
	const struct virtio_ops *ops;
	void *priv;
	unsigned n_queues;
	struct virtio_queue q[VIRTIO_QUEUES_MAX];
	uint64_t offered;
	const void *config; /* device configuration, config_len bytes */
	size_t config_len;
	/* Knobs. */
	bool ioeventfd; /* kicks and interrupts through eventfds in the kernel */
	bool msix, pio_notify;
	/* The driver's. */
	uint64_t features;
	uint8_t status; /* atomic */
	uint8_t generation; /* atomic */
	uint32_t dev_feature_sel, drv_feature_sel;
	uint16_t queue_sel, config_vector;
	bool started;
	bool fds_out; /* kicks and vectors' eventfds are held by others too: virtio_call_fd has been asked */
	int sync_queue; /* set by start; -1: none */
	pthread_mutex_t isr_lock;
	uint8_t isr;
	unsigned cfg_cap; /* of the PCI_CFG window */
};

/*
 * Called by the device's init once ops, n_queues, q[].max_size and .name, offered and config are set:
 * parses the transport's knobs (irq, ioeventfd, notify, indirect, event_idx, ring, in_order: they clear
 * bits of offered), adds BARs and capabilities, and makes the eventfds. 0 or -errno (logged).
 */
int virtio_init(struct virtio_dev *vd, struct pci_dev *pci, const struct dev_opts *opts);
void virtio_exit(struct virtio_dev *vd);
/* size= of the device's rings, *size when it is not given. 0 or -EINVAL (logged). */
int virtio_ring_size(const char *dev_name, const struct dev_opts *opts, uint64_t *size);
/* Knobs that take features away when they are off: n of them out of *features. 0 or -EINVAL (logged). */
struct virtio_knob {
	const char *key;
	uint64_t bits;
};
int virtio_switch_off(const struct dev_opts *opts, const struct virtio_knob *knobs, size_t n,
		      uint64_t *features);
/* For struct pci_ops: dev->priv is the struct virtio_dev. */
uint64_t virtio_bar_read(struct pci_dev *dev, int bar, uint64_t off, unsigned len);
void virtio_bar_write(struct pci_dev *dev, int bar, uint64_t off, unsigned len, uint64_t val);
void virtio_reset(struct pci_dev *dev);
bool virtio_cfg_read(struct pci_dev *dev, unsigned off, unsigned len, uint32_t *val);
bool virtio_cfg_write(struct pci_dev *dev, unsigned off, unsigned len, uint32_t val);
#define VIRTIO_PCI_OPS                                                                             \
	.bar_read = virtio_bar_read, .bar_write = virtio_bar_write, .reset = virtio_reset,         \
	.cfg_read = virtio_cfg_read, .cfg_write = virtio_cfg_write

/* Interrupt for a queue. */
void virtio_call(struct virtio_dev *vd, unsigned q);
/*
 * The eventfd that does the same: the vector's irqfd, or intx_fd, which someone must watch and answer with
 * virtio_call. For whoever serves the queue in our place; from then on no eventfd is ours alone.
 */
int virtio_call_fd(struct virtio_dev *vd, unsigned q);
/* A queue broke the rules: NEEDS_RESET. */
void virtio_broken(struct virtio_dev *vd, unsigned q);
/* Device configuration has changed. */
void virtio_config_changed(struct virtio_dev *vd);

static inline bool virtio_has(const struct virtio_dev *vd, unsigned feature)
{
	return vd->features >> feature & 1;
}

#endif
