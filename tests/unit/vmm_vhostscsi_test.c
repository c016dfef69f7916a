// SPDX-License-Identifier: MIT
/*
 * virtio-scsi before the kernel's vhost_scsi, for which this program stands: what it offers, what it is told
 * and when, and what becomes of a target that is not there or a ring that is none.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <linux/virtio_scsi.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "tests/unit/drv_virtio.h"
#include "vmm/core/eventfd.h"
#include "vmm/devices.h"

#define WWPN  "naa.5001405000000001"
#define F(n)  (1ull << (n))
#define RINGS 8

/* What the kernel has been told. */
static struct {
	int fd; /* of the device; -1: not open */
	uint64_t has, acked; /* features */
	bool no_target, attached;
	unsigned attaches, regions;
	struct {
		unsigned size, gives, takes;
		uint64_t desc;
		int kick, call, err;
		bool when_detached; /* taken back only then */
	} ring[RINGS];
} kernel;

/* In the place of the C library's. */
int open(const char *path, int flags, ...)
{
	va_list ap;
	int mode;

	va_start(ap, flags);
	mode = va_arg(ap, int);
	va_end(ap);
	if (strcmp(path, "/dev/vhost-scsi") != 0)
		return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	if (kernel.fd == -1)
		return errno = ENOENT, -1;
	return dup(kernel.fd);
}

static int set_endpoint(const struct vhost_scsi_target *t)
{
	if (!kernel.regions)
		return errno = EFAULT, -1;
	if (kernel.no_target || kernel.attached || strcmp(t->vhost_wwpn, WWPN) != 0)
		return errno = EEXIST, -1;
	kernel.attached = true;
	kernel.attaches++;
	return 0;
}

static int on_vhost(unsigned long request, void *arg)
{
	const struct vhost_vring_state *state = arg;
	const struct vhost_vring_file *file = arg;
	const struct vhost_vring_addr *addr = arg;

	switch (request) {
	case VHOST_GET_FEATURES:
		*(uint64_t *)arg = kernel.has;
		return 0;
	case VHOST_SET_FEATURES:
		kernel.acked = *(uint64_t *)arg;
		return 0;
	case VHOST_SET_MEM_TABLE:
		kernel.regions = ((struct vhost_memory *)arg)->nregions;
		return 0;
	case VHOST_SET_VRING_NUM:
		kernel.ring[state->index].size = state->num;
		return 0;
	case VHOST_SET_VRING_ADDR:
		kernel.ring[addr->index].desc = addr->desc_user_addr;
		return 0;
	case VHOST_SET_VRING_ERR:
		kernel.ring[file->index].err = file->fd;
		return 0;
	case VHOST_SET_VRING_CALL:
		kernel.ring[file->index].call = file->fd;
		return 0;
	case VHOST_SET_VRING_KICK:
		kernel.ring[file->index].kick = file->fd;
		kernel.ring[file->index].gives += file->fd >= 0;
		return 0;
	case VHOST_GET_VRING_BASE:
		kernel.ring[state->index].takes++;
		kernel.ring[state->index].when_detached = !kernel.attached;
		return 0;
	case VHOST_SCSI_SET_ENDPOINT:
		return set_endpoint(arg);
	case VHOST_SCSI_CLEAR_ENDPOINT:
		kernel.attached = false;
		return 0;
	default: /* owner, version, bases */
		return 0;
	}
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (_IOC_TYPE(request) == VHOST_VIRTIO)
		return on_vhost(request, arg);
	return (int)syscall(SYS_ioctl, fd, request, arg);
}

static int set_up(void **state)
{
	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	kernel.fd = memfd_create("vhost", MFD_CLOEXEC);
	kernel.has = V1 | F(VIRTIO_SCSI_F_HOTPLUG) | F(VIRTIO_SCSI_F_T10_PI) |
		     F(VIRTIO_RING_F_INDIRECT_DESC) | F(VIRTIO_RING_F_EVENT_IDX) |
		     F(VIRTIO_F_RING_PACKED) | F(VHOST_F_LOG_ALL);
	vm = fake_vm_create(64 * MIB);
	return kernel.fd < 0 || !vm;
}

static int tear_down(void **state)
{
	(void)state;
	fake_vm_destroy(vm);
	close_fd(&kernel.fd);
	return 0;
}

static void attach(const char *options)
{
	char text[128];

	snprintf(text, sizeof(text), "mode=vhost-scsi,wwpn=" WWPN "%s", options);
	dev = fake_attach(vm, &vhost_scsi_ops, text);
	assert_non_null(dev);
}

#define FIELD(name) rd(DEVCFG + offsetof(struct virtio_scsi_config, name), \
		       sizeof(((struct virtio_scsi_config *)0)->name))

/* 5.6.4; what the driver writes is ignored, because the kernel has one size of each. */
static void test_configuration(void **state)
{
	(void)state;
	attach(",queues=4,size=128");
	assert_int_equal(rd(VIRTIO_PCI_COMMON_NUMQ, 2), 6);
	assert_int_equal(FIELD(num_queues), 4);
	assert_int_equal(FIELD(seg_max), 126);
	assert_int_equal(FIELD(event_info_size), 16);
	assert_int_equal(FIELD(max_channel), 0);
	wr(DEVCFG + offsetof(struct virtio_scsi_config, sense_size), 4, 252);
	wr(DEVCFG + offsetof(struct virtio_scsi_config, cdb_size), 4, 16);
	assert_int_equal(FIELD(sense_size), 96);
	assert_int_equal(FIELD(cdb_size), 32);
	assert_int_equal(offered(), V1 | F(VIRTIO_SCSI_F_HOTPLUG) | F(VIRTIO_RING_F_INDIRECT_DESC) |
				    F(VIRTIO_RING_F_EVENT_IDX));
}

/* No ring moves while requests are under way, and none is given that the driver has not set up. */
static void test_start_and_stop(void **state)
{
	(void)state;
	attach("");
	assert_false(kernel.attached);
	for (unsigned round = 1; round <= 3; round++) {
		bring_up(F(VIRTIO_RING_F_EVENT_IDX), round > 1 ? 3 : 2);
		assert_true(kernel.attached);
		assert_int_equal(kernel.attaches, 1 + round);
		assert_int_equal(kernel.acked, V1 | F(VIRTIO_RING_F_EVENT_IDX));
		assert_true(kernel.regions > 0);
		assert_int_equal(kernel.ring[1].size, 64);
		assert_ptr_equal(kernel.ring[1].desc, gmem_ptr(dev->gm, ring[1].l.desc, 1));
		assert_int_equal(kernel.ring[1].gives, round);
		assert_int_equal(kernel.ring[2].gives, round - 1);
		assert_true(eventfd_drain(kernel.ring[1].kick) > 0); /* nobody has heard those of before */
		wr(VIRTIO_PCI_COMMON_STATUS, 1, 0);
		assert_false(kernel.attached);
		assert_int_equal(kernel.ring[1].takes, round);
		assert_true(kernel.ring[1].when_detached);
		assert_int_equal(kernel.ring[1].kick, -1);
	}
}

static void test_a_ring_outside_memory(void **state)
{
	(void)state;
	attach("");
	assert_true(negotiate(V1));
	set_queue(0, 64, 0);
	wr(VIRTIO_PCI_COMMON_Q_SELECT, 2, 2);
	wr64(VIRTIO_PCI_COMMON_Q_DESCLO, 1ull << 40);
	wr(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	add_status(VIRTIO_CONFIG_S_DRIVER_OK);
	assert_true(get_status() & VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_false(kernel.attached);
	wr(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	assert_int_equal(kernel.ring[0].takes, 1);
	assert_int_equal(kernel.ring[2].takes, 0);
}

static void test_a_ring_that_the_kernel_finds_broken(void **state)
{
	uint64_t until = clock_ns() + 10 * NSEC_PER_SEC;

	(void)state;
	assert_int_equal(threads_start(vm_threads(vm)), 0);
	attach("");
	bring_up(0, 3);
	eventfd_signal(kernel.ring[2].err);
	while (!(get_status() & VIRTIO_CONFIG_S_NEEDS_RESET) && clock_ns() < until)
		clock_sleep_ns(NSEC_PER_MSEC);
	assert_true(get_status() & VIRTIO_CONFIG_S_NEEDS_RESET);
	wr(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	assert_int_equal(get_status(), 0);
}

/* Before the guest runs. One that goes away later is a device that needs a reset. */
static void test_no_target(void **state)
{
	static const char *const refused[] = {"mode=vhost-scsi", "mode=vhost-scsi,wwpn=naa.2",
					      "wwpn=" WWPN ",queues=9", "wwpn=" WWPN ",size=100",
					      "wwpn=" WWPN ",ring=packed"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		assert_null(fake_attach(vm, &vhost_scsi_ops, refused[i]));
	assert_false(kernel.attached);
	attach("");
	kernel.no_target = true;
	bring_up(0, 3);
	assert_true(get_status() & VIRTIO_CONFIG_S_NEEDS_RESET);
}

static void test_no_vhost_scsi(void **state)
{
	(void)state;
	close_fd(&kernel.fd);
	assert_null(fake_attach(vm, &vhost_scsi_ops, "wwpn=" WWPN));
	kernel.fd = memfd_create("vhost", MFD_CLOEXEC);
	kernel.has &= ~V1;
	assert_null(fake_attach(vm, &vhost_scsi_ops, "wwpn=" WWPN));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_configuration, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_start_and_stop, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_ring_outside_memory, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_ring_that_the_kernel_finds_broken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_target, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_vhost_scsi, set_up, tear_down),
	};

	log_set_level(LOG_SILENT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
