// SPDX-License-Identifier: MIT
/* The type 1 IOMMU: a group of devices is opened, joins the container, and hands out its devices. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "vmm/devices/vfio/container.h"

static int open_group(int number, const char *addr)
{
	struct vfio_group_status status = {.argsz = sizeof(status)};
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/vfio/%d", number);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		int err = -errno;

		if (err == -ENOENT)
			return vfio_not_bound(addr);
		log_error("--vfio %s: %s: %s%s", addr, path, strerror(-err),
			  err == -EBUSY ? "; another process has the group open" : "");
		return err;
	}
	if (ioctl(fd, VFIO_GROUP_GET_STATUS, &status) || !(status.flags & VFIO_GROUP_FLAGS_VIABLE)) {
		if (!vfio_explain_group(number))
			log_error("VFIO group %d is not viable", number);
		close(fd);
		return -EPERM;
	}
	return fd;
}

static int set_iommu(struct vfio_container *c, bool unsafe)
{
	int err = vfio_check_remapping(c, unsafe);

	if (err || !ioctl(c->fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		return err;
	err = -errno;
	if (err == -EPERM)
		vfio_explain_remapping(c, unsafe);
	else
		log_error("VFIO: the IOMMU cannot be used: %s", strerror(-err));
	return err;
}

static struct vfio_group *find_group(struct vfio_container *c, int number)
{
	for (unsigned i = 0; i < c->n_groups; i++)
		if (c->group[i].number == number)
			return &c->group[i];
	return NULL;
}

static int add_group(struct vfio_container *c, int number, const char *addr, bool unsafe,
		     struct vfio_group **out)
{
	int fd, err = 0;

	*out = find_group(c, number);
	if (*out)
		return 0;
	if (c->n_groups == GROUPS_MAX) {
		log_error("--vfio %s: more than %d groups are not supported", addr, GROUPS_MAX);
		return -ENOSPC;
	}
	fd = open_group(number, addr);
	if (fd < 0)
		return fd;
	if (ioctl(fd, VFIO_GROUP_SET_CONTAINER, &c->fd)) {
		err = -errno;
		log_error("VFIO group %d: %s", number, strerror(-err));
		close(fd);
		return err;
	}
	c->group[c->n_groups] = (struct vfio_group){number, fd};
	*out = &c->group[c->n_groups++];
	if (c->n_groups == 1)
		err = set_iommu(c, unsafe);
	if (!err)
		vfio_tell_kvm(c, fd);
	return err;
}

static int group_attach(struct vfio_container *c, struct vfio_device *d, int group, bool unsafe)
{
	struct vfio_group *g;
	int err = add_group(c, group, d->addr, unsafe, &g);

	if (err)
		return err;
	d->fd = ioctl(g->fd, VFIO_GROUP_GET_DEVICE_FD, d->addr);
	if (d->fd < 0) {
		err = -errno;
		log_error("--vfio %s: %s; is it bound to vfio-pci?", d->addr, strerror(-err));
	}
	return err;
}

static int group_map(struct vfio_container *c, const struct gmem_region *r)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)r->hva,
		.iova = r->gpa,
		.size = r->size,
	};

	return errno_if(ioctl(c->fd, VFIO_IOMMU_MAP_DMA, &map));
}

static void group_unmap(struct vfio_container *c, const struct gmem_region *r)
{
	struct vfio_iommu_type1_dma_unmap unmap = {.argsz = sizeof(unmap), .iova = r->gpa, .size = r->size};

	ioctl(c->fd, VFIO_IOMMU_UNMAP_DMA, &unmap);
}

static void close_groups(struct vfio_container *c)
{
	for (unsigned i = 0; i < c->n_groups; i++)
		close(c->group[i].fd);
}

const struct vfio_iommu vfio_group_iommu = {
	.node = "/dev/vfio/vfio",
	.unsafe_parameter = IOMMU_UNSAFE_TYPE1,
	.attach = group_attach,
	.map = group_map,
	.unmap = group_unmap,
	.close = close_groups,
};
