// SPDX-License-Identifier: MIT
/*
 * iommufd: a device is a file of its own, bound to /dev/iommu and attached to an address space there. Its
 * requests are written out here because the C library's headers may be older than the kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/ioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "vmm/devices/vfio/container.h"

struct ioas_alloc {
	uint32_t size, flags, id;
};

struct ioas_map {
	uint32_t size, flags, id, reserved;
	uint64_t user, length, iova;
};

struct ioas_unmap {
	uint32_t size, id;
	uint64_t iova, length;
};

#define IOAS_ALLOC _IO(';', 0x81)
#define IOAS_MAP   _IO(';', 0x85)
#define IOAS_UNMAP _IO(';', 0x86)
#define MAP_AT_IOVA   1u
#define MAP_WRITEABLE 2u
#define MAP_READABLE  4u

struct device_bind {
	uint32_t argsz, flags;
	int32_t iommufd;
	uint32_t id;
};

struct device_attach {
	uint32_t argsz, flags, ioas;
};

#define DEVICE_BIND   _IO(VFIO_TYPE, VFIO_BASE + 18)
#define DEVICE_ATTACH _IO(VFIO_TYPE, VFIO_BASE + 19)

bool vfio_cdev_supported(void)
{
	struct strbuf sb = STRBUF_INIT;
	bool yes = !file_read("/proc/devices", &sb) && strstr(strbuf_str(&sb), " vfio-dev\n");

	strbuf_free(&sb);
	return yes;
}

static int alloc_space(struct vfio_container *c)
{
	struct ioas_alloc alloc = {.size = sizeof(alloc)};

	if (ioctl(c->fd, IOAS_ALLOC, &alloc)) {
		log_error("/dev/iommu: no address space: %s", strerror(errno));
		return -errno;
	}
	c->ioas = alloc.id;
	return 0;
}

/* The device's own file is /dev/vfio/devices/NAME; on vfio-pci its vfio-dev/ has this one entry. */
static int open_device(const char *addr)
{
	char dir[64], *name, *path;
	int fd;

	snprintf(dir, sizeof(dir), "/sys/bus/pci/devices/%s/vfio-dev", addr);
	name = dir_entry(dir);
	if (!name)
		return vfio_not_bound(addr);
	path = xasprintf("/dev/vfio/devices/%s", name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		fd = -errno;
		log_error("--vfio %s: %s: %s", addr, path, strerror(-fd));
	}
	free(path);
	free(name);
	return fd;
}

/* EINVAL: bound already; EBUSY: its group is open in the other way; EPERM: not viable, or not remapped. */
static int explain_bind(const struct vfio_container *c, const char *addr, int group, bool unsafe, int err)
{
	if (vfio_explain_group(group))
		return err;
	if (err == -EPERM)
		vfio_explain_remapping(c, unsafe);
	else
		log_error("--vfio %s: it cannot be bound to /dev/iommu: %s%s", addr, strerror(-err),
			  err == -EBUSY || err == -EINVAL ? "; another process has the group open" : "");
	return err;
}

static int cdev_attach(struct vfio_container *c, struct vfio_device *d, int group, bool unsafe)
{
	struct device_bind bind = {.argsz = sizeof(bind), .iommufd = c->fd};
	struct device_attach attach = {.argsz = sizeof(attach), .ioas = c->ioas};
	int err;

	d->fd = open_device(d->addr);
	if (d->fd < 0)
		return d->fd;
	err = vfio_check_remapping(c, unsafe);
	if (err)
		return err;
	vfio_tell_kvm(c, d->fd); /* the kernel wants that before the binding */
	if (ioctl(d->fd, DEVICE_BIND, &bind))
		return explain_bind(c, d->addr, group, unsafe, -errno);
	if (ioctl(d->fd, DEVICE_ATTACH, &attach)) {
		err = -errno;
		log_error("--vfio %s: the IOMMU cannot be used: %s", d->addr, strerror(-err));
	}
	return err;
}

static int cdev_map(struct vfio_container *c, const struct gmem_region *r)
{
	struct ioas_map map = {.size = sizeof(map),
			       .flags = MAP_AT_IOVA | MAP_WRITEABLE | MAP_READABLE,
			       .id = c->ioas,
			       .user = (uintptr_t)r->hva,
			       .length = r->size,
			       .iova = r->gpa};

	return errno_if(ioctl(c->fd, IOAS_MAP, &map));
}

static void cdev_unmap(struct vfio_container *c, const struct gmem_region *r)
{
	struct ioas_unmap unmap = {.size = sizeof(unmap), .id = c->ioas, .iova = r->gpa, .length = r->size};

	ioctl(c->fd, IOAS_UNMAP, &unmap);
}

const struct vfio_iommu vfio_cdev_iommu = {
	.node = "/dev/iommu",
	.unsafe_parameter = IOMMU_UNSAFE_IOMMUFD,
	.open = alloc_space,
	.attach = cdev_attach,
	.map = cdev_map,
	.unmap = cdev_unmap,
};
