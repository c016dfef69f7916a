// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "vmm/devices/vfio/container.h"

static struct vfio_container *the_container;

/* ---- what is said of a device that cannot be had ---- */

static int device_group(const char *addr)
{
	char path[64], *link;
	int number;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", addr);
	if (access(path, F_OK)) {
		log_error("--vfio %s: no such PCI device; see lspci -D", addr);
		return -ENODEV;
	}
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", addr);
	link = file_link_name(path);
	if (!link) {
		log_error("--vfio %s: it is in no IOMMU group; switch the IOMMU on (firmware, intel_iommu=on or amd_iommu=on)", addr);
		return -EOPNOTSUPP;
	}
	number = atoi(link);
	free(link);
	return number;
}

/* Caller frees. */
static char *driver_of(const char *addr)
{
	char *path = xasprintf("/sys/bus/pci/devices/%s/driver", addr), *name = file_link_name(path);

	free(path);
	if (name)
		return name;
	return xstrdup("no driver");
}

int vfio_not_bound(const char *addr)
{
	char *driver = driver_of(addr);

	log_error("--vfio %s: it is bound to %s; bind it to vfio-pci (bench does that with --mode=sriov)", addr, driver);
	free(driver);
	return -EBUSY;
}

bool vfio_explain_group(int group)
{
	struct strbuf sb = STRBUF_INIT;
	struct dirent *e;
	char dir[64];
	bool found;
	DIR *d;

	snprintf(dir, sizeof(dir), "/sys/kernel/iommu_groups/%d/devices", group);
	d = opendir(dir);
	while (d && (e = readdir(d))) {
		char *driver;

		if (e->d_name[0] == '.')
			continue;
		driver = driver_of(e->d_name);
		if (strcmp(driver, "vfio-pci")) {
			strbuf_sep(&sb, ", ");
			strbuf_addf(&sb, "%s (%s)", e->d_name, driver);
		}
		free(driver);
	}
	if (d)
		closedir(d);
	found = sb.len;
	if (found)
		log_error("VFIO group %d is not viable: bind these to vfio-pci as well, or use a slot with ACS: %s", group,
			  strbuf_str(&sb));
	strbuf_free(&sb);
	return found;
}

void vfio_explain_remapping(const struct vfio_container *c, bool unsafe)
{
	if (unsafe)
		log_error("VFIO: interrupts are not remapped, and the kernel does not allow that; write Y to %s "
			  "(bench run --allow-unsafe-interrupts does, and undoes it)", c->iommu->unsafe_parameter);
	else
		log_error("VFIO: interrupts are not remapped, so a device could forge them; switch remapping on in the firmware, "
			  "or accept it with --allow-unsafe-interrupts");
}

int vfio_check_remapping(const struct vfio_container *c, bool unsafe)
{
	char *allowed = file_read_line(c->iommu->unsafe_parameter);
	int err = 0;

	if (*allowed == 'Y' && !iommu_remaps_interrupts()) {
		if (unsafe)
			log_warn("VFIO: interrupts are not remapped: the guest's device can raise any interrupt of this host");
		else
			err = -EPERM;
	}
	if (err)
		vfio_explain_remapping(c, false);
	free(allowed);
	return err;
}

/* ---- the guest's memory ---- */

/* RAM only: a device's DMA to an MMIO range of the guest faults in the IOMMU and is counted there. */
static int map_memory(struct vfio_container *c)
{
	size_t n;
	const struct gmem_region *r = gmem_regions(vm_gmem(c->vm), &n);

	while (c->n_mapped < n) {
		int err = c->iommu->map(c, &r[c->n_mapped]);

		if (err) {
			log_error("VFIO: guest memory cannot be mapped for DMA: %s%s", strerror(-err),
				  err == -ENOMEM ? "; raise RLIMIT_MEMLOCK (ulimit -l) above the guest's memory" : "");
			return err;
		}
		c->n_mapped++;
	}
	return 0;
}

static void unmap_memory(struct vfio_container *c)
{
	size_t n;
	const struct gmem_region *r = gmem_regions(vm_gmem(c->vm), &n);

	while (c->n_mapped)
		c->iommu->unmap(c, &r[--c->n_mapped]);
}

void vfio_tell_kvm(struct vfio_container *c, int fd)
{
	struct kvm_create_device create = {.type = KVM_DEV_TYPE_VFIO};
	struct kvm_device_attr attr = {.group = KVM_DEV_VFIO_GROUP, /* later kernels: or a device's file */
				       .attr = KVM_DEV_VFIO_GROUP_ADD,
				       .addr = (uintptr_t)&fd};

	if (c->kvm_dev_fd < 0 && vm_kvm_fd(c->vm) >= 0 &&
	    !ioctl(vm_kvm_fd(c->vm), KVM_CREATE_DEVICE, &create))
		c->kvm_dev_fd = (int)create.fd;
	if (c->kvm_dev_fd >= 0 && ioctl(c->kvm_dev_fd, KVM_SET_DEVICE_ATTR, &attr))
		log_debug("VFIO: KVM does not take the device: %s", strerror(errno));
}

/* ---- the container ---- */

static int container_open(struct vfio_container *c)
{
	c->fd = open(c->iommu->node, O_RDWR | O_CLOEXEC);
	if (c->fd < 0) {
		int err = -errno;

		log_error("%s: %s; modprobe vfio-pci", c->iommu->node, strerror(-err));
		return err;
	}
	if (c->iommu->open)
		return c->iommu->open(c);
	return 0;
}

static void container_free(struct vfio_container *c)
{
	if (c->iommu->close)
		c->iommu->close(c);
	close_fd(&c->kvm_dev_fd);
	close_fd(&c->fd);
	free(c);
}

static int container_get(struct vm *vm, struct vfio_container **out)
{
	if (!the_container) {
		struct vfio_container *c = calloc(1, sizeof(*c));
		int err;

		if (!c)
			return -ENOMEM;
		c->iommu = vfio_cdev_supported() ? &vfio_cdev_iommu : &vfio_group_iommu;
		c->vm = vm;
		c->fd = c->kvm_dev_fd = -1;
		err = container_open(c);
		if (err) {
			container_free(c);
			return err;
		}
		the_container = c;
	}
	the_container->users++;
	*out = the_container;
	return 0;
}

static void container_put(struct vfio_container *c)
{
	if (--c->users)
		return;
	unmap_memory(c);
	container_free(c);
	the_container = NULL;
}

int vfio_open(struct vfio_device *d, struct vm *vm, bool unsafe)
{
	int group = device_group(d->addr), err;

	if (group < 0)
		return group;
	err = container_get(vm, &d->container);
	if (!err)
		err = d->container->iommu->attach(d->container, d, group, unsafe);
	if (err)
		return err;
	return map_memory(d->container);
}

void vfio_close(struct vfio_device *d)
{
	close_fd(&d->fd);
	if (d->container)
		container_put(d->container);
	d->container = NULL;
}
