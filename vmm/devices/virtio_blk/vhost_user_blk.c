// SPDX-License-Identifier: MIT
/*
 * mode=vhost-user-blk: a virtio-blk whose requests another process serves (vmm/vhost/front.h). Features and
 * configuration are the back-end's, of which the guest sees what suits our rings. While there is no back-end
 * the guest's requests wait.
 */
#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "vmm/devices/virtio_blk/blk.h"
#include "vmm/vhost/front.h"
#include "vmm/virtio/intx.h"

#define RING_SIZE 256

#define B(name) VIRTIO_BIT(VIRTIO_BLK_F_##name)

/* What of the back-end's is passed on. */
#define PASSED (B(SIZE_MAX) | B(SEG_MAX) | B(GEOMETRY) | B(RO) | B(BLK_SIZE) | B(FLUSH) | B(TOPOLOGY) | \
		B(CONFIG_WCE) | B(MQ) | B(DISCARD) | B(WRITE_ZEROES) | VIRTIO_RING_BITS)

struct vub {
	struct virtio_dev vd; /* first: the transport finds it through pci->priv */
	struct vu_front front;
	struct served_ring rings[VBLK_QUEUES_MAX];
	struct virtio_intx intx;
	struct virtio_blk_config config; /* capacity: atomic */
	uint8_t first_wce; /* the back-end's own */
	uint64_t queues, ring_size;
	char q_name[VBLK_QUEUES_MAX][8];
};

/* ---- the back-end ---- */

static int check_disk(const struct vub *d, const struct virtio_blk_config *c, bool again)
{
	const struct vu_front *f = &d->front;
	uint64_t queues = 1;

	if (f->link.features & B(MQ))
		queues = c->num_queues;
	if (queues < d->queues) {
		log_error("%s: vhost-user: the back-end at %s serves %u queues; %u are asked for", f->dev_name,
			  f->path, (unsigned)queues, (unsigned)d->queues);
		return -EOPNOTSUPP;
	}
	if (again && (c->capacity != d->config.capacity || c->blk_size != d->config.blk_size)) {
		log_error("%s: vhost-user: the back-end at %s has another disk: %llu sectors; the guest knows %llu",
			  f->dev_name, f->path, (unsigned long long)c->capacity,
			  (unsigned long long)d->config.capacity);
		return -EOPNOTSUPP;
	}
	return 0;
}

static int on_joined(struct vu_front *f, bool again)
{
	struct vub *d = f->priv;
	struct virtio_blk_config c;
	int err;

	if (!vu_front_read_config(f, &c, VBLK_CONFIG_LEN)) {
		log_error("%s: vhost-user: the back-end at %s does not tell its configuration", f->dev_name,
			  f->path);
		return -EOPNOTSUPP;
	}
	err = check_disk(d, &c, again);
	if (err)
		return err;
	if (!again)
		d->config = c;
	else if (c.wce != d->config.wce)
		return vu_front_write_config(f, offsetof(struct virtio_blk_config, wce), d->config.wce);
	return 0;
}

static void on_link(struct vu_front *f, bool up)
{
	(void)f;
	(void)up;
}

/* A disk may become larger or smaller; all else stays as the guest has read it. */
static void on_config_changed(struct vu_front *f)
{
	struct vub *d = f->priv;
	struct virtio_blk_config c;

	if (!vu_front_read_config(f, &c, VBLK_CONFIG_LEN) || c.capacity == d->config.capacity)
		return;
	__atomic_store_n(&d->config.capacity, c.capacity, __ATOMIC_RELAXED);
	virtio_config_changed(&d->vd);
}

static void on_ring_broken(struct vu_front *f, unsigned ring)
{
	struct vub *d = f->priv;

	virtio_broken(&d->vd, ring);
}

static const struct vu_front_ops front_ops = {
	.joined = on_joined,
	.link = on_link,
	.config_changed = on_config_changed,
	.ring_broken = on_ring_broken,
};

/* ---- start and stop ---- */

static int prepare_ring(struct vub *d, unsigned i)
{
	const struct virtio_queue *q = &d->vd.q[i];

	d->rings[i] = (struct served_ring){
		.ready = q->enabled,
		.layout = q->layout,
		.base = virtq_base_new(d->vd.features),
		.kick_fd = q->kick_fd,
		.call_fd = virtio_call_fd(&d->vd, i),
		.stats = q->stats,
	};
	return virtio_intx_watch(&d->intx, i, d->rings[i].call_fd);
}

static int vub_start(struct virtio_dev *vd)
{
	struct vub *d = vd->priv;
	int err = 0;

	for (unsigned i = 0; i < vd->n_queues && !err; i++)
		err = prepare_ring(d, i);
	if (err)
		return err;
	return vu_front_start(&d->front, vd->features, vd->n_queues);
}

static void write_wce(void *arg)
{
	struct vub *d = arg;

	vu_front_config_write(&d->front, offsetof(struct virtio_blk_config, wce), d->config.wce);
}

static void vub_stop(struct virtio_dev *vd)
{
	struct vub *d = vd->priv;

	vu_front_stop(&d->front);
	for (unsigned i = 0; i < vd->n_queues; i++)
		virtio_intx_unwatch(&d->intx, i);
	if (d->config.wce != d->first_wce) {
		d->config.wce = d->first_wce;
		write_wce(d);
	}
}

static void vub_config_write(struct virtio_dev *vd, unsigned off, unsigned len, uint64_t val)
{
	struct vub *d = vd->priv;

	if (off != offsetof(struct virtio_blk_config, wce) || len != 1 || val > 1 ||
	    !virtio_has(vd, VIRTIO_BLK_F_CONFIG_WCE))
		return;
	d->config.wce = (uint8_t)val;
	vm_control(vd->pci->vm, write_wce, d);
}

/* No RING_RESET: a disk's driver has no use for it. */
static const struct virtio_ops vub_ops = {
	.id = VIRTIO_ID_BLOCK,
	.pci_class = 0x010000,
	.start = vub_start,
	.stop = vub_stop,
	.config_write = vub_config_write,
};

/* ---- set-up ---- */

static int offer_features(struct vub *d, const struct dev_opts *o)
{
	uint64_t f = d->front.link.features & PASSED;

	if (vblk_switch_off(o, &f))
		return -EINVAL;
	if (!(f & B(FLUSH)))
		f &= ~B(CONFIG_WCE);
	if (d->queues == 1)
		f &= ~B(MQ);
	if (!d->config.size_max)
		f &= ~B(SIZE_MAX); /* qemu-storage-daemon offers one of no bytes */
	d->vd.offered = d->front.promised = f;
	d->first_wce = d->config.wce;
	d->config.num_queues = (uint16_t)d->queues;
	d->config.seg_max = MIN(d->config.seg_max, (uint32_t)d->ring_size - 2); /* beside header and status */
	return 0;
}

static void name_queues(struct vub *d)
{
	d->vd.n_queues = (unsigned)d->queues;
	for (unsigned i = 0; i < d->queues; i++) {
		snprintf(d->q_name[i], sizeof(d->q_name[i]), "req%u", (uint8_t)i);
		d->vd.q[i].name = d->q_name[i];
		d->vd.q[i].max_size = (uint16_t)d->ring_size;
	}
}

static void set_front(struct vub *d)
{
	struct vu_front *f = &d->front;

	f->ops = &front_ops;
	f->priv = d;
	f->dev_name = d->vd.pci->name;
	f->without = "the guest's requests wait";
	f->threads = vm_threads(d->vd.pci->vm);
	f->gm = d->vd.pci->gm;
	f->rings = d->rings;
	f->max_rings = (unsigned)d->queues;
	f->any_order = true;
}

static int parse_sizes(struct vub *d, const struct dev_opts *o)
{
	dev_opts_str(o, "mode", NULL); /* --disk has chosen the device by it */
	d->queues = 1;
	d->ring_size = RING_SIZE;
	if (dev_opts_u64(o, "queues", &d->queues, 1, VBLK_QUEUES_MAX))
		return -EINVAL;
	return virtio_ring_size(d->vd.pci->name, o, &d->ring_size);
}

static int vub_init(struct pci_dev *pci, const struct dev_opts *opts)
{
	struct vub *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	pci->priv = d;
	_Static_assert(offsetof(struct vub, vd) == 0, "the transport finds its device through pci->priv");
	d->vd.pci = pci;
	d->vd.priv = d;
	d->vd.ops = &vub_ops;
	vu_front_init(&d->front);
	err = parse_sizes(d, opts);
	if (err)
		return err;
	set_front(d);
	err = vu_front_open(&d->front, opts);
	if (!err)
		err = offer_features(d, opts);
	if (!err)
		err = virtio_intx_open(&d->intx, &d->vd, "vhost-user-intx");
	if (err)
		return err;
	name_queues(d);
	d->vd.config = &d->config;
	d->vd.config_len = VBLK_CONFIG_LEN;
	return virtio_init(&d->vd, pci, opts);
}

static void vub_exit(struct pci_dev *pci)
{
	struct vub *d = pci->priv;

	if (!d)
		return;
	virtio_exit(&d->vd);
	virtio_intx_close(&d->intx);
	vu_front_close(&d->front);
	free(d);
	pci->priv = NULL;
}

const struct pci_ops vhost_user_blk_ops = {
	.name = "vhost-user-blk",
	.init = vub_init,
	.exit = vub_exit,
	VIRTIO_PCI_OPS,
};
