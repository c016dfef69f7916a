// SPDX-License-Identifier: MIT
/*
 * mode=vhost-scsi: a virtio-scsi host adapter (virtio 1.3, 5.6) whose queues the kernel's vhost_scsi serves
 * (vmm/vhost/kernel.h), as an initiator at one of the kernel's SCSI targets, made in configfs by somebody
 * else. Requests, task management and events are all the kernel's; here are only registers. It has one size
 * of commands and of sense data, so what the driver writes there is ignored.
 *
 *      queue 0  task management      queue 1  events      queue 2 + n  requests
 */
#include <errno.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_scsi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include "base/log.h"
#include "vmm/core/eventfd.h"
#include "vmm/vhost/kernel.h"
#include "vmm/virtio/intx.h"

#define RING_SIZE    256
#define FIRST_QUEUE  2
#define QUEUES_MAX   8
#define RINGS_MAX    (FIRST_QUEUE + QUEUES_MAX)
#define SECTORS_MAX  0xffff /* of a request */
#define COMMANDS_MAX 128    /* of a disk at a time */
#define TARGET_MAX   255
#define LUN_MAX	     16383

/* What of the kernel's is passed on. Packed rings: no kernel has them (6.18). */
#define PASSED (VIRTIO_BIT(VIRTIO_SCSI_F_HOTPLUG) | VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC) | \
		VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX))

static const struct vhost_kernel_kind vhost_scsi_kind = {"/dev/vhost-scsi", "vhost-scsi", "vhost_scsi",
							 "virtio-blk"};

struct vscsi;

struct vscsi_ring {
	struct vscsi *d;
	unsigned index;
	int err_fd;   /* the kernel writes it when the ring breaks the rules */
	bool running; /* the kernel has it */
	struct served_ring served;
};

struct vscsi {
	struct virtio_dev vd; /* first: the transport finds it through pci->priv */
	struct vhost_kernel kernel;
	struct vhost_scsi_target target;
	bool attached; /* to the target */
	struct virtio_intx intx;
	struct evloop *watch;
	struct vscsi_ring ring[RINGS_MAX];
	struct virtio_scsi_config config;
	uint64_t queues, ring_size;
	char q_name[QUEUES_MAX][8];
};

/* ---- the target ---- */

/* EEXIST is the kernel's word for a target that is not there, has no nexus or belongs to another VM. */
static int target_attach(struct vscsi *d)
{
	int err = errno_if(ioctl(d->kernel.fd, VHOST_SCSI_SET_ENDPOINT, &d->target) < 0);

	d->attached = !err;
	if (err == -EEXIST) {
		log_error("%s: mode=vhost-scsi: wwpn=%s is no target of this host that is free; see "
			  "/sys/kernel/config/target/vhost", d->vd.pci->name, d->target.vhost_wwpn);
		return -ENODEV;
	}
	if (err)
		log_error("%s: mode=vhost-scsi: wwpn=%s: %s", d->vd.pci->name, d->target.vhost_wwpn,
			  strerror(-err));
	return err;
}

/* When it returns no request is under way any more. */
static void target_detach(struct vscsi *d)
{
	if (d->attached)
		VHOST_CALL(&d->kernel, VHOST_SCSI_CLEAR_ENDPOINT, &d->target);
	d->attached = false;
}

/* ---- start and stop ---- */

static int ring_start(struct vscsi_ring *r)
{
	struct virtio_dev *vd = &r->d->vd;
	const struct virtio_queue *q = &vd->q[r->index];
	int err;

	r->served = (struct served_ring){
		.layout = q->layout, .kick_fd = q->kick_fd, .call_fd = virtio_call_fd(vd, r->index)};
	err = virtio_intx_watch(&r->d->intx, r->index, r->served.call_fd);
	if (!err)
		err = vhost_kernel_ring_give(&r->d->kernel, r->index, &r->served, vd->pci->gm, r->err_fd);
	r->running = !err;
	return err;
}

static int vscsi_start(struct virtio_dev *vd)
{
	struct vscsi *d = vd->priv;
	int err = vhost_kernel_set_up(&d->kernel, vd->features & d->kernel.features, vd->pci->gm);

	for (unsigned i = 0; i < vd->n_queues && !err; i++)
		if (vd->q[i].enabled)
			err = ring_start(&d->ring[i]);
	if (!err)
		err = target_attach(d);
	/* What was made available while nobody listened has had its kick. */
	for (unsigned i = 0; i < vd->n_queues && !err; i++)
		if (d->ring[i].running)
			eventfd_signal(vd->q[i].kick_fd);
	return err;
}

static void vscsi_stop(struct virtio_dev *vd)
{
	struct vscsi *d = vd->priv;

	target_detach(d);
	for (unsigned i = 0; i < vd->n_queues; i++) {
		if (d->ring[i].running)
			vhost_kernel_ring_take(&d->kernel, i, &d->ring[i].served);
		d->ring[i].running = false;
		virtio_intx_unwatch(&d->intx, i);
	}
}

/* The kernel leaves the ring where it is; the driver has to reset the device. */
static void on_ring_error(void *arg, uint32_t events)
{
	struct vscsi_ring *r = arg;

	(void)events;
	if (eventfd_drain(r->err_fd))
		virtio_broken(&r->d->vd, r->index);
}

/* No RING_RESET: the kernel stops all rings or none. */
static const struct virtio_ops vscsi_ops = {
	.id = VIRTIO_ID_SCSI,
	.pci_class = 0x010000,
	.start = vscsi_start,
	.stop = vscsi_stop,
};

/* ---- set-up ---- */

static int parse_options(struct vscsi *d, const struct dev_opts *o)
{
	const char *name = d->vd.pci->name, *wwpn = dev_opts_str(o, "wwpn", NULL);

	dev_opts_str(o, "mode", NULL); /* --disk has chosen the device by it */
	d->queues = 1;
	d->ring_size = RING_SIZE;
	if (!wwpn || strlen(wwpn) >= sizeof(d->target.vhost_wwpn)) {
		log_error("%s: mode=vhost-scsi wants the name of the kernel's target, as /sys/kernel/config/target/vhost has it: "
			  "wwpn=naa.5001405...", name);
		return -EINVAL;
	}
	strcpy(d->target.vhost_wwpn, wwpn);
	if (dev_opts_u64(o, "queues", &d->queues, 1, QUEUES_MAX))
		return -EINVAL;
	return virtio_ring_size(name, o, &d->ring_size);
}

/*
 * So that a wrong name ends the VMM, and not the guest's driver. The kernel wants to know the guest's memory
 * first.
 */
static int open_target(struct vscsi *d)
{
	int err = vhost_kernel_open(&d->kernel, &vhost_scsi_kind, d->vd.pci->name);

	if (!err)
		err = VHOST_CALL(&d->kernel, VHOST_SCSI_GET_ABI_VERSION, &d->target.abi_version);
	if (!err)
		err = vhost_kernel_set_up(&d->kernel, VIRTIO_BIT(VIRTIO_F_VERSION_1), d->vd.pci->gm);
	if (!err)
		err = target_attach(d);
	target_detach(d);
	return err;
}

static int open_watch(struct vscsi *d)
{
	int err = evloop_create(&d->watch, vm_threads(d->vd.pci->vm), THREAD_IO, "vhost-scsi-err");

	for (unsigned i = 0; i < d->vd.n_queues && !err; i++) {
		struct vscsi_ring *r = &d->ring[i];

		r->err_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		err = errno_if(r->err_fd < 0);
		if (!err)
			err = evloop_add(d->watch, r->err_fd, EPOLLIN, on_ring_error, r);
	}
	return err;
}

static void name_queues(struct vscsi *d)
{
	d->vd.n_queues = FIRST_QUEUE + (unsigned)d->queues;
	d->vd.q[0].name = "ctrl";
	d->vd.q[1].name = "event";
	for (unsigned i = 0; i < d->queues; i++) {
		snprintf(d->q_name[i], sizeof(d->q_name[i]), "req%u", (uint8_t)i);
		d->vd.q[FIRST_QUEUE + i].name = d->q_name[i];
	}
	for (unsigned i = 0; i < d->vd.n_queues; i++)
		d->vd.q[i].max_size = (uint16_t)d->ring_size;
}

static void set_config(struct vscsi *d)
{
	d->config = (struct virtio_scsi_config){
		.num_queues = (uint32_t)d->queues,
		.seg_max = (uint32_t)d->ring_size - 2, /* beside request and response */
		.max_sectors = SECTORS_MAX,
		.cmd_per_lun = COMMANDS_MAX,
		.event_info_size = sizeof(struct virtio_scsi_event),
		.sense_size = VIRTIO_SCSI_SENSE_DEFAULT_SIZE,
		.cdb_size = VIRTIO_SCSI_CDB_DEFAULT_SIZE,
		.max_target = TARGET_MAX,
		.max_lun = LUN_MAX,
	};
	d->vd.config = &d->config;
	d->vd.config_len = sizeof(d->config);
}

static struct vscsi *vscsi_new(struct pci_dev *pci)
{
	struct vscsi *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	_Static_assert(offsetof(struct vscsi, vd) == 0, "the transport finds its device through pci->priv");
	d->vd.pci = pci;
	d->vd.priv = d;
	d->vd.ops = &vscsi_ops;
	d->kernel.fd = -1;
	for (unsigned i = 0; i < RINGS_MAX; i++)
		d->ring[i] = (struct vscsi_ring){.d = d, .index = i, .err_fd = -1};
	return d;
}

static int vscsi_init(struct pci_dev *pci, const struct dev_opts *opts)
{
	struct vscsi *d = pci->priv = vscsi_new(pci);
	int err;

	if (!d)
		return -ENOMEM;
	err = parse_options(d, opts);
	if (!err)
		err = open_target(d);
	if (err)
		return err;
	d->vd.offered = d->kernel.features & PASSED;
	name_queues(d);
	set_config(d);
	err = open_watch(d);
	if (!err)
		err = virtio_intx_open(&d->intx, &d->vd, "vhost-scsi-intx");
	if (err)
		return err;
	return virtio_init(&d->vd, pci, opts);
}

static void vscsi_exit(struct pci_dev *pci)
{
	struct vscsi *d = pci->priv;

	if (!d)
		return;
	virtio_exit(&d->vd);
	virtio_intx_close(&d->intx);
	evloop_destroy(d->watch);
	for (unsigned i = 0; i < RINGS_MAX; i++)
		close_fd(&d->ring[i].err_fd);
	close_fd(&d->kernel.fd);
	free(d);
	pci->priv = NULL;
}

const struct pci_ops vhost_scsi_ops = {
	.name = "vhost-scsi",
	.init = vscsi_init,
	.exit = vscsi_exit,
	VIRTIO_PCI_OPS,
};
