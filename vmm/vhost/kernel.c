// SPDX-License-Identifier: MIT
#include "vmm/vhost/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/log.h"

int vhost_kernel_call(const struct vhost_kernel *k, unsigned long request, const char *name, void *arg)
{
	int err;

	if (ioctl(k->fd, request, arg) >= 0)
		return 0;
	err = -errno;
	log_error("%s: %s: %s", k->dev_name, name, strerror(-err));
	return err;
}

static int report_open(const struct vhost_kernel_kind *kind, const char *dev_name, int err)
{
	if (err == -EACCES || err == -EPERM) {
		log_error("%s: mode=%s: %s: %s; run as root or give your user access to it", dev_name, kind->mode,
			  kind->path, strerror(-err));
		return -EPERM;
	}
	log_error("%s: mode=%s: %s: %s; load it with `modprobe %s`, or use mode=%s", dev_name, kind->mode, kind->path,
		  strerror(-err), kind->module, kind->instead);
	return -ENODEV;
}

int vhost_kernel_open(struct vhost_kernel *k, const struct vhost_kernel_kind *kind, const char *dev_name)
{
	int err;

	k->dev_name = dev_name;
	k->fd = open(kind->path, O_RDWR | O_CLOEXEC);
	if (k->fd < 0)
		return report_open(kind, dev_name, -errno);
	err = VHOST_CALL(k, VHOST_SET_OWNER, NULL);
	if (!err)
		err = VHOST_CALL(k, VHOST_GET_FEATURES, &k->features);
	if (!err && !(k->features >> VIRTIO_F_VERSION_1 & 1)) {
		log_error("%s: mode=%s: this kernel's %s knows no virtio 1.0; use mode=%s", dev_name, kind->mode,
			  kind->module, kind->instead);
		err = -EOPNOTSUPP;
	}
	return err;
}

static int set_memory(const struct vhost_kernel *k, const struct gmem *gm)
{
	size_t n;
	const struct gmem_region *r = gmem_regions(gm, &n);
	struct vhost_memory *mem = calloc(1, sizeof(*mem) + n * sizeof(mem->regions[0]));
	int err;

	if (!mem)
		return -ENOMEM;
	mem->nregions = (uint32_t)n;
	for (size_t i = 0; i < n; i++)
		mem->regions[i] = (struct vhost_memory_region){
			.guest_phys_addr = r[i].gpa,
			.memory_size = r[i].size,
			.userspace_addr = (uintptr_t)r[i].hva,
		};
	err = VHOST_CALL(k, VHOST_SET_MEM_TABLE, mem);
	free(mem);
	return err;
}

int vhost_kernel_set_up(const struct vhost_kernel *k, uint64_t features, const struct gmem *gm)
{
	int err = VHOST_CALL(k, VHOST_SET_FEATURES, &features);

	if (err)
		return err;
	return set_memory(k, gm);
}

static int set_addresses(const struct vhost_kernel *k, unsigned index, const struct virtq_layout *l,
			 const struct gmem *gm)
{
	bool aligned = !(l->desc & 15) && !(l->driver & 1) && !(l->device & 3);
	struct vhost_vring_addr addr = {
		.index = index,
		.desc_user_addr = (uintptr_t)gmem_ptr(gm, l->desc, 16ull * l->size),
		.avail_user_addr = (uintptr_t)gmem_ptr(gm, l->driver, 6 + 2ull * l->size),
		.used_user_addr = (uintptr_t)gmem_ptr(gm, l->device, 6 + 8ull * l->size),
	};

	if (!aligned || !addr.desc_user_addr || !addr.avail_user_addr || !addr.used_user_addr)
		return -EFAULT;
	if (k->guest_addresses) {
		addr.desc_user_addr = l->desc;
		addr.avail_user_addr = l->driver;
		addr.used_user_addr = l->device;
	}
	return VHOST_CALL(k, VHOST_SET_VRING_ADDR, &addr);
}

static int set_fd(const struct vhost_kernel *k, unsigned index, unsigned long request, const char *name,
		  int fd)
{
	struct vhost_vring_file file = {index, fd};

	return vhost_kernel_call(k, request, name, &file);
}

#define SET_FD(k, index, request, fd) set_fd(k, index, request, #request, fd)

int vhost_kernel_ring_give(const struct vhost_kernel *k, unsigned index, const struct served_ring *r,
			   const struct gmem *gm, int err_fd)
{
	struct vhost_vring_state size = {index, r->layout.size}, base = {index, r->base};
	int err;

	err = VHOST_CALL(k, VHOST_SET_VRING_NUM, &size);
	if (!err)
		err = VHOST_CALL(k, VHOST_SET_VRING_BASE, &base);
	if (!err)
		err = set_addresses(k, index, &r->layout, gm);
	if (!err)
		err = SET_FD(k, index, VHOST_SET_VRING_ERR, err_fd);
	if (!err)
		err = SET_FD(k, index, VHOST_SET_VRING_CALL, r->call_fd);
	if (!err)
		err = SET_FD(k, index, VHOST_SET_VRING_KICK, r->kick_fd);
	return err;
}

void vhost_kernel_ring_take(const struct vhost_kernel *k, unsigned index, struct served_ring *r)
{
	struct vhost_vring_state base = {index, 0};

	if (!VHOST_CALL(k, VHOST_GET_VRING_BASE, &base))
		r->base = base.num;
	vhost_kernel_ring_drop(k, index);
}

void vhost_kernel_ring_drop(const struct vhost_kernel *k, unsigned index)
{
	SET_FD(k, index, VHOST_SET_VRING_KICK, -1);
	SET_FD(k, index, VHOST_SET_VRING_CALL, -1);
}
