// SPDX-License-Identifier: MIT
/*
 * mode=vdpa: a virtio-blk whose queues a vDPA device of the host's kernel serves (vmm/vhost/vdpa.h). Requests
 * are all that device's; here are registers, and its configuration as it was when it was opened.
 */
#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "vmm/core/eventfd.h"
#include "vmm/vhost/vdpa.h"
#include "vmm/virtio/intx.h"

#define QUEUES_MAX 8

/* What of the device's is passed on: neither packed rings nor a cache that the driver can switch. */
#define PASSED                                                                                               \
	(VIRTIO_BIT(VIRTIO_BLK_F_SIZE_MAX) | VIRTIO_BIT(VIRTIO_BLK_F_SEG_MAX) |                              \
	 VIRTIO_BIT(VIRTIO_BLK_F_RO) | VIRTIO_BIT(VIRTIO_BLK_F_BLK_SIZE) | VIRTIO_BIT(VIRTIO_BLK_F_FLUSH) |  \
	 VIRTIO_BIT(VIRTIO_BLK_F_TOPOLOGY) | VIRTIO_BIT(VIRTIO_BLK_F_MQ) |                                   \
	 VIRTIO_BIT(VIRTIO_BLK_F_DISCARD) | VIRTIO_BIT(VIRTIO_BLK_F_WRITE_ZEROES) |                          \
	 VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC) | VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX))

struct vdpa_blk {
	struct virtio_dev vd; /* first: the transport finds it through pci->priv */
	struct vhost_kernel kernel;
	struct virtio_intx intx;
	struct virtio_blk_config config;
	bool running[QUEUES_MAX]; /* the kernel has the ring */
	uint64_t queues, ring_size;
	char q_name[QUEUES_MAX][8];
};

/* ---- start and stop ---- */

static int ring_start(struct vdpa_blk *d, unsigned index)
{
	const struct virtio_queue *q = &d->vd.q[index];
	struct served_ring served = {
		.layout = q->layout, .kick_fd = q->kick_fd, .call_fd = virtio_call_fd(&d->vd, index)};
	int err = virtio_intx_watch(&d->intx, index, served.call_fd);

	if (!err)
		err = vhost_kernel_ring_give(&d->kernel, index, &served, d->vd.pci->gm, -1);
	if (!err)
		err = vdpa_ring_enable(&d->kernel, index);
	d->running[index] = !err;
	return err;
}

static int vdpa_blk_start(struct virtio_dev *vd)
{
	struct vdpa_blk *d = vd->priv;
	int err = vdpa_begin(&d->kernel, vd->features, vd->pci->gm);

	for (unsigned i = 0; i < vd->n_queues && !err; i++)
		if (vd->q[i].enabled)
			err = ring_start(d, i);
	if (!err)
		err = vdpa_driver_ok(&d->kernel);
	/* What was made available while nobody listened has had its kick. */
	for (unsigned i = 0; i < vd->n_queues && !err; i++)
		if (d->running[i])
			eventfd_signal(vd->q[i].kick_fd);
	return err;
}

static void vdpa_blk_stop(struct virtio_dev *vd)
{
	struct vdpa_blk *d = vd->priv;

	vdpa_end(&d->kernel, vd->pci->gm);
	for (unsigned i = 0; i < vd->n_queues; i++) {
		if (d->running[i])
			vhost_kernel_ring_drop(&d->kernel, i);
		d->running[i] = false;
		virtio_intx_unwatch(&d->intx, i);
	}
}

/* No RING_RESET: a device that is VDUSE's has none. */
static const struct virtio_ops vdpa_blk_virtio_ops = {
	.id = VIRTIO_ID_BLOCK,
	.pci_class = 0x010000,
	.start = vdpa_blk_start,
	.stop = vdpa_blk_stop,
};

/* ---- set-up ---- */

static int open_device(struct vdpa_blk *d, const struct dev_opts *o)
{
	const char *name = d->vd.pci->name, *path = dev_opts_str(o, "path", NULL);
	struct vdpa_info has = {0};
	int err;

	dev_opts_str(o, "mode", NULL); /* --disk has chosen the device by it */
	if (!path) {
		log_error("%s: mode=vdpa wants the device that serves it: path=/dev/vhost-vdpa-0", name);
		return -EINVAL;
	}
	err = vdpa_open(&d->kernel, path, VIRTIO_ID_BLOCK, name, &has);
	if (!err)
		err = vdpa_config(&d->kernel, &d->config, sizeof(d->config));
	if (err)
		return err;
	if (!has.queues || !has.ring_size || !is_pow2(has.ring_size)) {
		log_error("%s: mode=vdpa: %s has %u queues of %u: no disk", name, path, has.queues,
			  has.ring_size);
		return -EINVAL;
	}
	d->queues = 1;
	d->ring_size = has.ring_size;
	return dev_opts_u64(o, "queues", &d->queues, 1, MIN(has.queues, QUEUES_MAX));
}

static void name_queues(struct vdpa_blk *d)
{
	d->vd.n_queues = (unsigned)d->queues;
	for (unsigned i = 0; i < d->queues; i++) {
		snprintf(d->q_name[i], sizeof(d->q_name[i]), "req%u", (uint8_t)i);
		d->vd.q[i].name = d->q_name[i];
		d->vd.q[i].max_size = (uint16_t)d->ring_size;
	}
	d->config.num_queues = (uint16_t)d->queues;
	d->vd.config = &d->config;
	d->vd.config_len = sizeof(d->config);
}

static struct vdpa_blk *vdpa_blk_new(struct pci_dev *pci)
{
	struct vdpa_blk *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	_Static_assert(offsetof(struct vdpa_blk, vd) == 0,
		       "the transport finds its device through pci->priv");
	d->vd.pci = pci;
	d->vd.priv = d;
	d->vd.ops = &vdpa_blk_virtio_ops;
	d->kernel.fd = -1;
	return d;
}

static int vdpa_blk_init(struct pci_dev *pci, const struct dev_opts *opts)
{
	struct vdpa_blk *d = pci->priv = vdpa_blk_new(pci);
	int err;

	if (!d)
		return -ENOMEM;
	err = open_device(d, opts);
	if (err)
		return err;
	d->vd.offered = d->kernel.features & PASSED;
	name_queues(d);
	err = virtio_intx_open(&d->intx, &d->vd, "vdpa-intx");
	if (err)
		return err;
	return virtio_init(&d->vd, pci, opts);
}

static void vdpa_blk_exit(struct pci_dev *pci)
{
	struct vdpa_blk *d = pci->priv;

	if (!d)
		return;
	virtio_exit(&d->vd);
	virtio_intx_close(&d->intx);
	close_fd(&d->kernel.fd);
	free(d);
	pci->priv = NULL;
}

const struct pci_ops vdpa_ops = {
	.name = "vdpa",
	.init = vdpa_blk_init,
	.exit = vdpa_blk_exit,
	VIRTIO_PCI_OPS,
};
