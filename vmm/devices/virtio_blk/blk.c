// SPDX-License-Identifier: MIT
/* virtio-blk as a PCI device in the VMM. */
#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>

#include "vmm/core/vm.h"
#include "vmm/devices/virtio_blk/blk_pci.h"

#define RING_SIZE 256

/* ---- what the queues ask for ---- */

static void on_call(struct vblk *b, unsigned queue)
{
	struct vblk_pci *d = container_of(b, struct vblk_pci, blk);

	virtio_call(&d->vd, queue);
}

static void on_broken(struct vblk *b, unsigned queue)
{
	struct vblk_pci *d = container_of(b, struct vblk_pci, blk);

	virtio_broken(&d->vd, queue);
}

static const struct vblk_ops queue_ops = {on_call, on_broken};

/* ---- start and stop ---- */

static int vblk_queue_up(struct virtio_dev *vd, unsigned i)
{
	struct vblk_pci *d = vd->priv;
	const struct served_ring ring = {
		.layout = vd->q[i].layout,
		.base = virtq_base_new(vd->features),
		.kick_fd = vd->q[i].kick_fd,
		.stats = vd->q[i].stats,
	};

	vblk_queue_start(&d->blk.q[i], &ring);
	return 0;
}

static void vblk_queue_down(struct virtio_dev *vd, unsigned i)
{
	struct vblk_pci *d = vd->priv;

	vblk_queue_stop(&d->blk.q[i]);
}

static int vblk_start(struct virtio_dev *vd)
{
	struct vblk_pci *d = vd->priv;

	vblk_begin(&d->blk, vd->pci->gm, vd->features);
	for (unsigned i = 0; i < d->blk.n_queues; i++)
		if (vd->q[i].enabled)
			vblk_queue_up(vd, i);
	return 0;
}

static void vblk_stop(struct virtio_dev *vd)
{
	struct vblk_pci *d = vd->priv;

	for (unsigned i = 0; i < d->blk.n_queues; i++)
		vblk_queue_stop(&d->blk.q[i]);
	vblk_reset(&d->blk);
}

static void on_config_write(struct virtio_dev *vd, unsigned off, unsigned len, uint64_t val)
{
	struct vblk_pci *d = vd->priv;

	if (virtio_has(vd, VIRTIO_BLK_F_CONFIG_WCE))
		vblk_config_write(&d->blk, off, len, val);
}

static const struct virtio_ops vblk_ops = {
	.id = VIRTIO_ID_BLOCK,
	.pci_class = 0x010000,
	.start = vblk_start,
	.stop = vblk_stop,
	.queue_start = vblk_queue_up,
	.queue_stop = vblk_queue_down,
	.config_write = on_config_write,
};

/* ---- set-up ---- */

static void name_queues(struct vblk_pci *d)
{
	d->vd.n_queues = d->blk.n_queues;
	for (unsigned i = 0; i < d->blk.n_queues; i++) {
		snprintf(d->q_name[i], sizeof(d->q_name[i]), "req%u", (uint8_t)i);
		d->vd.q[i].name = d->q_name[i];
		d->vd.q[i].max_size = (uint16_t)d->blk.ring_size;
	}
}

static int vblk_init(struct pci_dev *pci, const struct dev_opts *opts)
{
	struct vblk_pci *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	pci->priv = d;
	_Static_assert(offsetof(struct vblk_pci, vd) == 0,
		       "the transport finds its device through pci->priv");
	d->vd.pci = pci;
	d->vd.priv = d;
	d->vd.ops = &vblk_ops;
	d->blk.ops = &queue_ops;
	d->blk.name = pci->name;
	d->blk.threads = vm_threads(pci->vm);
	err = vblk_open(&d->blk, opts, RING_SIZE);
	if (err)
		return err;
	name_queues(d);
	d->vd.offered = d->blk.offered;
	d->vd.config = &d->blk.config;
	d->vd.config_len = VBLK_CONFIG_LEN;
	return virtio_init(&d->vd, pci, opts);
}

static void vblk_exit(struct pci_dev *pci)
{
	struct vblk_pci *d = pci->priv;

	if (!d)
		return;
	for (unsigned i = 0; i < d->blk.n_queues; i++)
		if (d->blk.q[i].thread)
			vblk_queue_stop(&d->blk.q[i]); /* before its eventfd goes */
	virtio_exit(&d->vd);
	vblk_close(&d->blk);
	free(d);
	pci->priv = NULL;
}

const struct pci_ops virtio_blk_ops = {
	.name = "virtio-blk",
	.init = vblk_init,
	.exit = vblk_exit,
	VIRTIO_PCI_OPS,
};
