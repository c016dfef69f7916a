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
#include "vmm/vfio/vfio.h"

#define GROUPS_MAX 16

struct vfio_group {
	int number, fd;
};

/* One for the machine: devices of several groups share the mappings of its RAM. */
struct vfio_container {
	int fd, kvm_dev_fd;
	struct vm *vm;
	unsigned users;
	struct vfio_group group[GROUPS_MAX];
	unsigned n_groups;
	size_t n_mapped; /* regions of guest memory */
};

static struct vfio_container *the_container;

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
	return name ? name : xstrdup("no driver");
}

/* Names every device of the group that is not on vfio-pci. */
static void explain_group(int group)
{
	struct strbuf sb = STRBUF_INIT;
	struct dirent *e;
	char dir[64];
	DIR *d;

	snprintf(dir, sizeof(dir), "/sys/kernel/iommu_groups/%d/devices", group);
	d = opendir(dir);
	while (d && (e = readdir(d))) {
		char *driver;

		if (e->d_name[0] == '.')
			continue;
		driver = driver_of(e->d_name);
		if (strcmp(driver, "vfio-pci"))
			strbuf_addf(&sb, "%s%s (%s)", sb.len ? ", " : "", e->d_name, driver);
		free(driver);
	}
	if (d)
		closedir(d);
	log_error("VFIO group %d is not viable: bind these to vfio-pci as well, or use a slot with ACS: %s", group, strbuf_str(&sb));
	strbuf_free(&sb);
}

static int open_group(int number, const char *addr)
{
	struct vfio_group_status status = {.argsz = sizeof(status)};
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/vfio/%d", number);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		int err = -errno;
		char *driver = err == -ENOENT ? driver_of(addr) : NULL;

		if (driver) {
			log_error("--vfio %s: it is bound to %s; bind it to vfio-pci (bench does that with --mode=sriov)", addr, driver);
			free(driver);
			return -EBUSY;
		}
		log_error("--vfio %s: %s: %s%s", addr, path, strerror(-err),
			  err == -EBUSY ? "; another process has the group open" : "");
		return err;
	}
	if (ioctl(fd, VFIO_GROUP_GET_STATUS, &status) || !(status.flags & VFIO_GROUP_FLAGS_VIABLE)) {
		explain_group(number);
		close(fd);
		return -EPERM;
	}
	return fd;
}

/* VFIO asks for interrupt remapping unless its module was told not to: then it is we who ask. */
static int check_remapping(bool unsafe)
{
	const char *parameter = iommu_unsafe_parameter();
	char *allowed = parameter ? file_read_line(parameter) : NULL;
	int err = 0;

	if (allowed && *allowed == 'Y' && !iommu_remaps_interrupts()) {
		if (unsafe)
			log_warn("VFIO: interrupts are not remapped: the guest's device can raise any interrupt of this host");
		else
			err = -EPERM;
	}
	if (err)
		log_error("VFIO: interrupts are not remapped, so a device could forge them; switch remapping on in the firmware, "
			  "or accept it with --allow-unsafe-interrupts");
	free(allowed);
	return err;
}

static int set_iommu(struct vfio_container *c, bool unsafe)
{
	int err = check_remapping(unsafe);

	if (err || !ioctl(c->fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		return err;
	err = -errno;
	if (err == -EPERM && unsafe)
		log_error("VFIO: interrupts are not remapped, and the kernel does not allow that; write Y to %s "
			  "(bench run --allow-unsafe-interrupts does, and undoes it)", iommu_unsafe_parameter());
	else if (err == -EPERM)
		log_error("VFIO: interrupts are not remapped, so a device could forge them; switch remapping on in the firmware, "
			  "or accept it with --allow-unsafe-interrupts");
	else
		log_error("VFIO: the IOMMU cannot be used: %s", strerror(-err));
	return err;
}

/* RAM only: a device's DMA to an MMIO range of the guest faults in the IOMMU and is counted there. */
static int map_memory(struct vfio_container *c)
{
	size_t n;
	const struct gmem_region *r = gmem_regions(vm_gmem(c->vm), &n);

	for (size_t i = 0; i < n; i++) {
		struct vfio_iommu_type1_dma_map map = {
			.argsz = sizeof(map),
			.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
			.vaddr = (uintptr_t)r[i].hva,
			.iova = r[i].gpa,
			.size = r[i].size,
		};

		if (ioctl(c->fd, VFIO_IOMMU_MAP_DMA, &map)) {
			int err = -errno;

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

	for (size_t i = 0; i < c->n_mapped; i++) {
		struct vfio_iommu_type1_dma_unmap unmap = {.argsz = sizeof(unmap),
							   .iova = r[i].gpa,
							   .size = r[i].size};

		ioctl(c->fd, VFIO_IOMMU_UNMAP_DMA, &unmap);
	}
	c->n_mapped = 0;
}

/*
 * Tells KVM of the group: it then keeps caching attributes right. Not having it costs correctness only on
 * old machines.
 */
static void tell_kvm(struct vfio_container *c, int group_fd)
{
	struct kvm_create_device create = {.type = KVM_DEV_TYPE_VFIO};
	struct kvm_device_attr attr = {.group = KVM_DEV_VFIO_GROUP,
				       .attr = KVM_DEV_VFIO_GROUP_ADD,
				       .addr = (uintptr_t)&group_fd};

	if (c->kvm_dev_fd < 0 && vm_kvm_fd(c->vm) >= 0 &&
		    !ioctl(vm_kvm_fd(c->vm), KVM_CREATE_DEVICE, &create))
		c->kvm_dev_fd = (int)create.fd;
	if (c->kvm_dev_fd >= 0 && ioctl(c->kvm_dev_fd, KVM_SET_DEVICE_ATTR, &attr))
		log_debug("VFIO: KVM does not take the group: %s", strerror(errno));
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
	if (c->n_groups == 1) {
		err = set_iommu(c, unsafe);
		err = err ? err : map_memory(c);
	}
	if (!err)
		tell_kvm(c, fd);
	return err;
}

static int container_get(struct vm *vm, struct vfio_container **out)
{
	struct vfio_container *c = the_container;

	if (!c) {
		c = calloc(1, sizeof(*c));
		if (!c)
			return -ENOMEM;
		c->vm = vm;
		c->kvm_dev_fd = -1;
		c->fd = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
		if (c->fd < 0) {
			int err = -errno;

			log_error("/dev/vfio/vfio: %s; modprobe vfio-pci", strerror(errno));
			free(c);
			return err;
		}
		the_container = c;
	}
	c->users++;
	*out = c;
	return 0;
}

static void container_put(struct vfio_container *c)
{
	if (--c->users)
		return;
	unmap_memory(c);
	for (unsigned i = 0; i < c->n_groups; i++)
		close(c->group[i].fd);
	close_fd(&c->kvm_dev_fd);
	close_fd(&c->fd);
	free(c);
	the_container = NULL;
}

int vfio_open(struct vfio_device *d, struct vm *vm, bool unsafe)
{
	int number = device_group(d->addr), err;
	struct vfio_group *g;

	if (number < 0)
		return number;
	err = container_get(vm, &d->container);
	err = err ? err : add_group(d->container, number, d->addr, unsafe, &g);
	if (err)
		return err;
	d->fd = ioctl(g->fd, VFIO_GROUP_GET_DEVICE_FD, d->addr);
	if (d->fd < 0) {
		err = -errno;
		log_error("--vfio %s: %s; is it bound to vfio-pci?", d->addr, strerror(-err));
	}
	return err;
}

void vfio_close(struct vfio_device *d)
{
	close_fd(&d->fd);
	if (d->container)
		container_put(d->container);
	d->container = NULL;
}
