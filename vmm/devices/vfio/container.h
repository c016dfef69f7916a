/* SPDX-License-Identifier: MIT */
/* How the kernel's IOMMU is reached: container.c owns what both ways share, a way is a struct vfio_iommu. */
#ifndef VMM_DEVICES_VFIO_CONTAINER_H
#define VMM_DEVICES_VFIO_CONTAINER_H

#include "vmm/core/gmem.h"
#include "vmm/devices/vfio/vfio.h"

#define GROUPS_MAX 16

struct vfio_group {
	int number, fd;
};

struct vfio_iommu {
	const char *node;	       /* opened once for the machine */
	const char *unsafe_parameter;  /* by which its module does without interrupt remapping */
	int (*open)(struct vfio_container *c); /* after the node; NULL: nothing more to do */
	/* Open d->fd, the container's IOMMU domain behind it. 0 or -errno, one line logged. */
	int (*attach)(struct vfio_container *c, struct vfio_device *d, int group, bool unsafe);
	/* 0 or -errno. */
	int (*map)(struct vfio_container *c, const struct gmem_region *r);
	void (*unmap)(struct vfio_container *c, const struct gmem_region *r);
	void (*close)(struct vfio_container *c); /* before the node; NULL: nothing more to do */
};

extern const struct vfio_iommu vfio_group_iommu; /* group.c: /dev/vfio/GROUP and the type 1 IOMMU */
extern const struct vfio_iommu vfio_cdev_iommu;	 /* cdev.c: /dev/vfio/devices/vfioN and iommufd */

/* One for the machine: all its devices share the mappings of its RAM. */
struct vfio_container {
	const struct vfio_iommu *iommu;
	int fd, kvm_dev_fd;
	struct vm *vm;
	unsigned users;
	size_t n_mapped; /* regions of guest memory */
	struct vfio_group group[GROUPS_MAX];
	unsigned n_groups;
	uint32_t ioas; /* iommufd's address space */
};

/* This kernel gives devices of their own to VFIO's (6.6 and later, if it was built so). */
bool vfio_cdev_supported(void);

/* ---- container.c: what both ways ask and say ---- */
/* Without it KVM may cache the guest's memory otherwise than the device sees it. */
void vfio_tell_kvm(struct vfio_container *c, int fd);
/* VFIO asks for interrupt remapping unless its module was told not to: then it is we who ask. */
int vfio_check_remapping(const struct vfio_container *c, bool unsafe);
/* Says why the kernel answered EPERM. */
void vfio_explain_remapping(const struct vfio_container *c, bool unsafe);
/* The device is not on vfio-pci: says what it is on. -EBUSY. */
int vfio_not_bound(const char *addr);
/* Names the devices of the group that are not on vfio-pci; false, and silent: all of them are. */
bool vfio_explain_group(int group);

#endif
