// SPDX-License-Identifier: MIT
#include "vmm/vhost/vdpa.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

#define READY (VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER)

static int set_status(const struct vhost_kernel *k, uint8_t status)
{
	return VHOST_CALL(k, VHOST_VDPA_SET_STATUS, &status);
}

/* ---- set-up ---- */

static int check_type(const struct vhost_kernel *k, const char *path, uint32_t want)
{
	uint32_t type = 0;
	int err = VHOST_CALL(k, VHOST_VDPA_GET_DEVICE_ID, &type);

	if (err || type == want)
		return err;
	log_error("%s: mode=vdpa: %s is a virtio device of type %u, and %u is wanted", k->dev_name, path,
		  type, want);
	return -EINVAL;
}

/* Messages of the second version are those that it answers. */
static int speak(const struct vhost_kernel *k)
{
	uint64_t features = 1ull << VHOST_BACKEND_F_IOTLB_MSG_V2;

	return VHOST_CALL(k, VHOST_SET_BACKEND_FEATURES, &features);
}

int vdpa_open(struct vhost_kernel *k, const char *path, uint32_t type, const char *dev_name,
	      struct vdpa_info *info)
{
	const struct vhost_kernel_kind kind = {path, "vdpa", "vhost_vdpa", "virtio-blk"};
	int err = vhost_kernel_open(k, &kind, dev_name);

	k->guest_addresses = true;
	if (!err)
		err = check_type(k, path, type);
	if (!err)
		err = set_status(k, 0);
	if (!err)
		err = speak(k);
	if (!err)
		err = VHOST_CALL(k, VHOST_VDPA_GET_VQS_COUNT, &info->queues);
	if (!err)
		err = VHOST_CALL(k, VHOST_VDPA_GET_VRING_NUM, &info->ring_size);
	return err;
}

int vdpa_config(const struct vhost_kernel *k, void *config, uint32_t len)
{
	struct vhost_vdpa_config *c = calloc(1, sizeof(*c) + len);
	uint32_t has = 0;
	int err = c ? VHOST_CALL(k, VHOST_VDPA_GET_CONFIG_SIZE, &has) : -ENOMEM;

	if (!err) {
		c->len = MIN(has, len);
		err = VHOST_CALL(k, VHOST_VDPA_GET_CONFIG, c);
	}
	if (!err)
		memcpy(config, c->buf, len);
	free(c);
	return err;
}

/* ---- memory ---- */

static int tell_region(const struct vhost_kernel *k, const struct gmem_region *r, uint8_t what)
{
	struct vhost_msg_v2 msg = {
		.type = VHOST_IOTLB_MSG_V2,
		.iotlb = {.iova = r->gpa,
			  .size = r->size,
			  .uaddr = (uintptr_t)r->hva,
			  .perm = VHOST_ACCESS_RW,
			  .type = what},
	};

	return errno_if(write(k->fd, &msg, sizeof(msg)) != sizeof(msg));
}

static int map_memory(const struct vhost_kernel *k, const struct gmem *gm)
{
	size_t n;
	const struct gmem_region *r = gmem_regions(gm, &n);
	int err = 0;

	for (size_t i = 0; i < n && !err; i++)
		err = tell_region(k, &r[i], VHOST_IOTLB_UPDATE);
	if (err)
		log_error("%s: mode=vdpa: the device does not take the guest's memory: %s", k->dev_name,
			  strerror(-err));
	return err;
}

/* What is not mapped any more, after a reset, need not be taken back. */
static void unmap_memory(const struct vhost_kernel *k, const struct gmem *gm)
{
	size_t n;
	const struct gmem_region *r = gmem_regions(gm, &n);

	for (size_t i = 0; i < n; i++)
		tell_region(k, &r[i], VHOST_IOTLB_INVALIDATE);
}

/* ---- life ---- */

/* Devices behind an IOMMU, as all of these are, want to hear that the driver knows of it. */
static int agree(const struct vhost_kernel *k, uint64_t features)
{
	uint8_t status = 0;
	int err;

	features |= k->features & 1ull << VIRTIO_F_ACCESS_PLATFORM;
	err = VHOST_CALL(k, VHOST_SET_FEATURES, &features);
	if (!err)
		err = set_status(k, READY | VIRTIO_CONFIG_S_FEATURES_OK);
	if (!err)
		err = VHOST_CALL(k, VHOST_VDPA_GET_STATUS, &status);
	if (!err && !(status & VIRTIO_CONFIG_S_FEATURES_OK)) {
		log_error("%s: mode=vdpa: the device does not take the features that the guest chose",
			  k->dev_name);
		err = -EOPNOTSUPP;
	}
	return err;
}

int vdpa_begin(const struct vhost_kernel *k, uint64_t features, const struct gmem *gm)
{
	int err = set_status(k, 0);

	if (!err)
		err = set_status(k, READY);
	if (!err)
		err = agree(k, features);
	if (!err)
		err = map_memory(k, gm);
	return err;
}

int vdpa_ring_enable(const struct vhost_kernel *k, unsigned index)
{
	struct vhost_vring_state on = {index, 1};

	return VHOST_CALL(k, VHOST_VDPA_SET_VRING_ENABLE, &on);
}

int vdpa_driver_ok(const struct vhost_kernel *k)
{
	return set_status(k, READY | VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK);
}

void vdpa_end(const struct vhost_kernel *k, const struct gmem *gm)
{
	set_status(k, 0);
	unmap_memory(k, gm);
}
