// SPDX-License-Identifier: MIT
/*
 * How an assigned device is had from the kernel, by groups and by iommufd. The kernel is files in a
 * directory that stands for /sys, /proc and /dev, and ioctls that answer as the test wants; each of
 * them fails once.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/log.h"
#include "tests/unit/fake.h"
#include "vmm/devices.h"
#include "vmm/devices/vfio/container.h"
#include "vmm/pci/regs.h"

#define ADDR	 "0000:01:10.0"
#define BAR0	 0x10000
#define IOMMUFD	 _IO(';', 0x81)

/* ---- the kernel ---- */

static char root[64]; /* what stands for / */

static struct {
	unsigned calls, fail_at; /* of VFIO's ioctls, counted from 1; 0: none fails */
	unsigned long refused;	 /* this one fails */
	int refusal;		 /* with this */
	int open_errno;		 /* opening a group or a device's file fails with this */
	bool not_viable;
	int mapped; /* regions of guest memory */
} kernel;

/* In the place of the C library's: paths of the kernel's files lie below root. */
static const char *real_path(const char *path, char *buf, size_t size)
{
	static const char *const ours[] = {"/sys/", "/proc/devices", "/proc/interrupts", "/dev/vfio",
					   "/dev/iommu"};

	for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
		if (strncmp(path, ours[i], strlen(ours[i])))
			continue;
		snprintf(buf, size, "%s%s", root, path);
		return buf;
	}
	return path;
}

int open(const char *path, int flags, ...)
{
	char buf[256];

	if (kernel.open_errno && !strncmp(path, "/dev/vfio/", 10) && strcmp(path, "/dev/vfio/vfio") != 0) {
		errno = kernel.open_errno;
		return -1;
	}
	return (int)syscall(SYS_openat, AT_FDCWD, real_path(path, buf, sizeof(buf)), flags, 0600);
}

int access(const char *path, int mode)
{
	char buf[256];

	return (int)syscall(SYS_faccessat, AT_FDCWD, real_path(path, buf, sizeof(buf)), mode);
}

ssize_t readlink(const char *path, char *out, size_t size)
{
	char buf[256];

	return syscall(SYS_readlinkat, AT_FDCWD, real_path(path, buf, sizeof(buf)), out, size);
}

DIR *opendir(const char *path)
{
	char buf[256];
	int fd = (int)syscall(SYS_openat, AT_FDCWD, real_path(path, buf, sizeof(buf)),
			      O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	return fdopendir(fd);
}

/* A card with one BAR, an interrupt pin, and MSI. */
static int device_file(void)
{
	uint8_t config[256] = {0};
	int fd = memfd_create("device", MFD_CLOEXEC);

	cfg_put16(config + PCI_VENDOR_ID, 0x8086);
	config[PCI_INTERRUPT_PIN] = 1;
	config[PCI_STATUS] = PCI_STATUS_CAP_LIST;
	config[PCI_CAPABILITY_LIST] = 0x40;
	config[0x40] = PCI_CAP_ID_MSI;
	assert_int_equal(ftruncate(fd, 3 * MIB), 0);
	assert_int_equal(pwrite(fd, config, sizeof(config), 2 * MIB), sizeof(config));
	return fd;
}

static int answer_device(unsigned long request, void *arg)
{
	struct vfio_region_info *r = arg;

	switch (request) {
	case VFIO_DEVICE_GET_INFO:
		((struct vfio_device_info *)arg)->flags = VFIO_DEVICE_FLAGS_PCI;
		break;
	case VFIO_DEVICE_GET_REGION_INFO:
		r->size = r->index ? 0 : BAR0;
		r->offset = 0;
		r->flags = VFIO_REGION_INFO_FLAG_MMAP;
		if (r->index == VFIO_PCI_CONFIG_REGION_INDEX) {
			r->size = 256;
			r->offset = 2 * MIB;
			r->flags = 0;
		}
		break;
	case VFIO_DEVICE_GET_IRQ_INFO:
		((struct vfio_irq_info *)arg)->count = 1;
		break;
	}
	return 0;
}

static int answer_kernel(unsigned long request, void *arg)
{
	switch (request) {
	case VFIO_GROUP_GET_STATUS:
		((struct vfio_group_status *)arg)->flags =
			bits_if(!kernel.not_viable, VFIO_GROUP_FLAGS_VIABLE);
		return 0;
	case VFIO_GROUP_GET_DEVICE_FD:
		return device_file();
	case VFIO_IOMMU_MAP_DMA:
	case _IO(';', 0x85):
		kernel.mapped++;
		return 0;
	case VFIO_IOMMU_UNMAP_DMA:
	case _IO(';', 0x86):
		kernel.mapped--;
		return 0;
	}
	return answer_device(request, arg);
}

int ioctl(int on, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (_IOC_TYPE(request) != ';')
		return (int)syscall(SYS_ioctl, on, request, arg);
	errno = EIO;
	if (++kernel.calls == kernel.fail_at)
		return -1;
	errno = kernel.refusal;
	if (request == kernel.refused)
		return -1;
	return answer_kernel(request, arg);
}

/* ---- its files ---- */

static void put_file(const char *path, const char *text)
{
	char *full = xasprintf("%s%s", root, path), *slash = full;
	int fd;

	while ((slash = strchr(slash + 1, '/'))) {
		*slash = '\0';
		mkdir(full, 0700);
		*slash = '/';
	}
	fd = open(full, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	free(full);
}

static void put_link(const char *path, const char *to)
{
	char *full = xasprintf("%s%s", root, path);

	unlink(full);
	assert_int_equal(symlink(to, full), 0);
	free(full);
}

static void drop_path(const char *path)
{
	char *full = xasprintf("%s%s", root, path);

	assert_int_equal(dir_remove_all(full), 0);
	free(full);
}

static void put_device(const char *addr, const char *group, const char *driver)
{
	char *dir = xasprintf("/sys/bus/pci/devices/%s", addr), *path = xasprintf("%s/vendor", dir);

	put_file(path, "0x8086\n");
	free(path);
	path = xasprintf("%s/iommu_group", dir);
	put_link(path, group);
	free(path);
	path = xasprintf("%s/driver", dir);
	put_link(path, driver);
	free(path);
	path = xasprintf("/sys/kernel/iommu_groups/%s/devices/%s", strrchr(group, '/') + 1, addr);
	put_file(path, "");
	free(path);
	free(dir);
}

#define UNSAFE "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts"

/* A kernel in which all is well; cdev: with iommufd. */
static void make_kernel(bool cdev)
{
	memset(&kernel, 0, sizeof(kernel));
	put_device(ADDR, "../../kernel/iommu_groups/7", "../../bus/pci/drivers/vfio-pci");
	put_file("/dev/vfio/vfio", "");
	put_file("/dev/vfio/7", "");
	put_file("/dev/iommu", "");
	put_file("/dev/vfio/devices/vfio3", "");
	put_file("/sys/bus/pci/devices/" ADDR "/vfio-dev/vfio3/dev", "");
	put_file("/proc/devices",
		 cdev ? "Character devices:\n511 vfio-dev\n" : "Character devices:\n10 misc\n");
	put_file("/proc/interrupts", "  24: IR-PCI-MSI\n");
	put_file(UNSAFE, "N\n");
	put_file(IOMMU_UNSAFE_IOMMUFD, "N\n");
}

static int open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* ---- what the device's owner sees ---- */

static int open_once(bool unsafe)
{
	struct vfio_device d = {.addr = ADDR, .fd = -1};
	struct vm *vm = fake_vm_create(16 * MIB);
	int err = vfio_open(&d, vm, unsafe);

	if (!err) {
		assert_true(d.fd >= 0);
		assert_true(kernel.mapped > 0);
	}
	vfio_close(&d);
	fake_vm_destroy(vm);
	assert_true(kernel.mapped == 0);
	return err;
}

static void both_ways(void **state)
{
	(void)state;
	for (int cdev = 0; cdev < 2; cdev++) {
		int before = open_fds();

		make_kernel(cdev);
		assert_int_equal(open_once(false), 0);
		assert_int_equal(open_once(false), 0);
		assert_int_equal(open_fds(), before);
	}
}

enum change {
	NOTHING,
	NO_DEVICE,
	NO_IOMMU,
	NO_NODE,
	NOT_BOUND,
	STRANGER, /* a device of the group is another driver's */
	NO_REMAPPING,
};

static void change_kernel(enum change change)
{
	switch (change) {
	case NOTHING:
		break;
	case NO_DEVICE:
		drop_path("/sys/bus/pci/devices/" ADDR);
		break;
	case NO_IOMMU:
		drop_path("/sys/bus/pci/devices/" ADDR "/iommu_group");
		break;
	case NO_NODE:
		drop_path("/dev/vfio/vfio");
		drop_path("/dev/iommu");
		break;
	case NOT_BOUND:
		drop_path("/dev/vfio/7");
		drop_path("/sys/bus/pci/devices/" ADDR "/vfio-dev");
		put_link("/sys/bus/pci/devices/" ADDR "/driver", "../../bus/pci/drivers/igbvf");
		break;
	case STRANGER:
		put_device("0000:01:10.1", "../../kernel/iommu_groups/7", "../../bus/pci/drivers/igbvf");
		kernel.not_viable = true;
		break;
	case NO_REMAPPING:
		put_file("/proc/interrupts", "  24: PCI-MSI\n");
		put_file(UNSAFE, "Y\n");
		put_file(IOMMU_UNSAFE_IOMMUFD, "Y\n");
		break;
	}
}

#define BIND   _IO(';', 100 + 18)
#define ATTACH _IO(';', 100 + 19)

/* What is wrong with the kernel or the device, and what comes of it by groups (0) and by iommufd (1). */
static void what_is_refused(void **state)
{
	static const struct {
		enum change change;
		bool unsafe;
		unsigned long refused[2];
		int refusal, open_errno;
		int err[2];
	} cases[] = {
		{NO_DEVICE, false, {0}, 0, 0, {-ENODEV, -ENODEV}},
		{NO_IOMMU, false, {0}, 0, 0, {-EOPNOTSUPP, -EOPNOTSUPP}},
		{NO_NODE, false, {0}, 0, 0, {-ENOENT, -ENOENT}},
		{NOT_BOUND, false, {0}, 0, 0, {-EBUSY, -EBUSY}},
		{STRANGER, false, {0, BIND}, EPERM, 0, {-EPERM, -EPERM}},
		{NO_REMAPPING, false, {0}, 0, 0, {-EPERM, -EPERM}},
		{NO_REMAPPING, true, {0}, 0, 0, {0, 0}},
		{NOTHING, false, {0}, 0, EACCES, {-EACCES, -EACCES}},
		{NOTHING, false, {0}, 0, EBUSY, {-EBUSY, -EBUSY}},
		/* Not remapped, says the kernel: with and without our asking for it. */
		{NOTHING, false, {VFIO_SET_IOMMU, BIND}, EPERM, 0, {-EPERM, -EPERM}},
		{NOTHING, true, {VFIO_SET_IOMMU, BIND}, EPERM, 0, {-EPERM, -EPERM}},
		{NOTHING, false, {VFIO_SET_IOMMU, BIND}, EINVAL, 0, {-EINVAL, -EINVAL}},
		{NOTHING, false, {VFIO_GROUP_SET_CONTAINER, ATTACH}, ENODEV, 0, {-ENODEV, -ENODEV}},
		{NOTHING, false, {VFIO_GROUP_GET_DEVICE_FD, IOMMUFD}, ENOSPC, 0, {-ENOSPC, -ENOSPC}},
		{NOTHING, false, {VFIO_IOMMU_MAP_DMA, _IO(';', 0x85)}, ENOMEM, 0, {-ENOMEM, -ENOMEM}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (int cdev = 0; cdev < 2; cdev++) {
			int before = open_fds(), err;

			drop_path("");
			make_kernel(cdev);
			change_kernel(cases[i].change);
			kernel.refused = cases[i].refused[cdev];
			kernel.refusal = cases[i].refusal;
			kernel.open_errno = cases[i].open_errno;
			err = open_once(cases[i].unsafe);
			if (err != cases[i].err[cdev])
				fail_msg("case %zu, %s: %d", i, cdev ? "iommufd" : "groups", err);
			assert_int_equal(open_fds(), before);
		}
	}
}

/* One group after the other, in one container, until there is no more room. */
static void many_groups(void **state)
{
	struct vfio_device d[GROUPS_MAX + 1];
	struct vm *vm = fake_vm_create(16 * MIB);

	(void)state;
	drop_path("");
	make_kernel(false);
	for (unsigned i = 0; i <= GROUPS_MAX; i++) {
		char *group = xasprintf("../../kernel/iommu_groups/%u", 20 + i);
		char *dev = xasprintf("/dev/vfio/%u", 20 + i);

		d[i] = (struct vfio_device){.fd = -1};
		snprintf(d[i].addr, sizeof(d[i].addr), "0000:02:%02x.0", i & 0x1f);
		put_device(d[i].addr, group, "../../bus/pci/drivers/vfio-pci");
		put_file(dev, "");
		assert_int_equal(vfio_open(&d[i], vm, false), i < GROUPS_MAX ? 0 : -ENOSPC);
		free(group);
		free(dev);
	}
	for (unsigned i = 0; i <= GROUPS_MAX; i++)
		vfio_close(&d[i]);
	assert_int_equal(kernel.mapped, 0);
	fake_vm_destroy(vm);
}

/* ---- the whole device ---- */

static bool attach_device(void)
{
	struct vm *vm = fake_vm_create(16 * MIB);
	struct pci_dev *dev = fake_attach(vm, &vfio_ops, "host=" ADDR);

	if (dev)
		pci_reset_all(vm->pci);
	fake_vm_destroy(vm);
	return dev;
}

/* Whichever request fails: a device or none, no file left open, memory that is not mapped for ever. */
static void every_request_fails_once(void **state)
{
	(void)state;
	drop_path("");
	make_kernel(false);
	assert_true(attach_device());
	for (unsigned k = 1, calls = kernel.calls; k <= calls; k++) {
		int before = open_fds();

		make_kernel(false);
		kernel.fail_at = k;
		attach_device();
		if (open_fds() != before)
			fail_msg("request %u of %u fails: files are left", k, calls);
		assert_true(kernel.mapped <= 1); /* the unmapping itself may be what failed */
	}
}

static void addresses_that_are_none(void **state)
{
	static const char *const options[] = {"host=", "host=1", "host=0000:01:10", "host=0000:01:10.0x", "",
					      "host=" ADDR ",unsafe_interrupts=perhaps", "host=0000:01:11.0"};
	struct vm *vm = fake_vm_create(16 * MIB);

	(void)state;
	make_kernel(false);
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		assert_null(fake_attach(vm, &vfio_ops, options[i]));
	fake_vm_destroy(vm);
}

static int setup(void **state)
{
	(void)state;
	log_init("test", -1);
	snprintf(root, sizeof(root), "/tmp/vfio_test.%d", getpid());
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return dir_remove_all(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(many_groups),
		cmocka_unit_test(every_request_fails_once),
		cmocka_unit_test(addresses_that_are_none),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
