// SPDX-License-Identifier: MIT
/* virtio-scsi, served by the kernel's vhost_scsi: the medium is a disk of its SCSI target. */
#include <errno.h>

#include "base/journal.h"
#include "base/log.h"
#include "bench/modes/block.h"

static const char *const vhost_scsi_modules[] = {"virtio_pci", "virtio_scsi", "sd_mod", NULL};

/* The medium first, so that it is let go last. */
static int vhost_scsi_make(struct device_path *p, const struct path_want *want)
{
	int err = block_make(p, want);

	if (!err && !p->medium.is_device) {
		log_error("--medium=%s: mode vhost-scsi wants a block device; use null, ram or a path in /dev", want->medium);
		err = -ENOTSUP;
	}
	if (!err)
		err = journal_open(&p->journal);
	for (size_t i = 0; scsi_target_modules[i] && !err; i++)
		err = kmod_need(p->journal, scsi_target_modules[i]);
	if (err)
		return err;
	return scsi_target_make(p->journal, &p->medium, want->vm, &p->target);
}

const struct mode mode_vhost_scsi = {
	.name = "vhost-scsi",
	.kind = MODE_BLOCK,
	.needs = NEED_ROOT | NEED_VHOST_SCSI,
	.guests = GUEST_LINUX,
	.front = FRONT_VIRTIO_SCSI,
	.server = SERVER_KERNEL,
	.modules = vhost_scsi_modules,
	.host_modules = scsi_target_modules,
	.knobs = "queues ioeventfd event_idx indirect irq notify",
	.make = vhost_scsi_make,
};
