// SPDX-License-Identifier: MIT
/*
 * virtio-blk before a vDPA device, for which this program stands: what is passed on of it, in which order it
 * is told what a driver tells a device, and what becomes of a device that is none, or of a ring.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
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

#include "base/log.h"
#include "tests/unit/drv_virtio.h"
#include "vmm/core/eventfd.h"
#include "vmm/devices.h"

#define PATH  "/dev/vhost-vdpa-7"
#define F(n)  (1ull << (n))
#define RINGS 8
#define RUNNING                                                                                              \
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK |                \
	 VIRTIO_CONFIG_S_DRIVER_OK)

/* The device, and what it has been told. */
static struct {
	int fd; /* what is written to it stays there: messages; -1: not there */
	uint32_t type, queues, config_size;
	uint16_t ring_size;
	uint64_t has, acked;
	bool refuses; /* whatever features are chosen */
	uint8_t status;
	unsigned resets, out_of_order;
	struct virtio_blk_config config;
	struct {
		unsigned size;
		uint64_t desc;
		int kick, call;
		bool enabled;
	} ring[RINGS];
} device;

/* In the place of the C library's. */
int open(const char *path, int flags, ...)
{
	va_list ap;
	int mode;

	va_start(ap, flags);
	mode = va_arg(ap, int);
	va_end(ap);
	if (strcmp(path, PATH) != 0)
		return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	if (device.fd == -1)
		return errno = ENOENT, -1;
	return dup(device.fd);
}

static int set_status(uint8_t status)
{
	if (!status)
		device.resets++;
	else if (device.status & ~status)
		return errno = EINVAL, -1;
	if (status & VIRTIO_CONFIG_S_FEATURES_OK && device.refuses)
		status &= (uint8_t)~VIRTIO_CONFIG_S_FEATURES_OK;
	device.status = status;
	return 0;
}

static int get_config(struct vhost_vdpa_config *c)
{
	if (c->off + c->len > device.config_size)
		return errno = EFAULT, -1;
	memcpy(c->buf, (char *)&device.config + c->off, c->len);
	return 0;
}

/* Rings are set while the device is not used. */
static unsigned ring_index(unsigned index)
{
	device.out_of_order += !!(device.status & VIRTIO_CONFIG_S_DRIVER_OK);
	return index % RINGS;
}

static int on_ring(unsigned long request, void *arg)
{
	const struct vhost_vring_state *state = arg;
	const struct vhost_vring_file *file = arg;
	const struct vhost_vring_addr *addr = arg;

	switch (request) {
	case VHOST_SET_VRING_NUM:
		device.ring[ring_index(state->index)].size = state->num;
		return 0;
	case VHOST_SET_VRING_ADDR:
		device.ring[ring_index(addr->index)].desc = addr->desc_user_addr;
		return 0;
	case VHOST_SET_VRING_CALL:
		device.ring[ring_index(file->index)].call = file->fd;
		return 0;
	case VHOST_SET_VRING_KICK:
		device.ring[ring_index(file->index)].kick = file->fd;
		return 0;
	case VHOST_VDPA_SET_VRING_ENABLE:
		device.ring[ring_index(state->index)].enabled = state->num;
		return 0;
	default: /* owner, versions, bases */
		return 0;
	}
}

static int on_vdpa(unsigned long request, void *arg)
{
	switch (request) {
	case VHOST_VDPA_GET_DEVICE_ID:
		*(uint32_t *)arg = device.type;
		return 0;
	case VHOST_VDPA_GET_STATUS:
		*(uint8_t *)arg = device.status;
		return 0;
	case VHOST_VDPA_SET_STATUS:
		return set_status(*(uint8_t *)arg);
	case VHOST_VDPA_GET_CONFIG_SIZE:
		*(uint32_t *)arg = device.config_size;
		return 0;
	case VHOST_VDPA_GET_CONFIG:
		return get_config(arg);
	case VHOST_VDPA_GET_VQS_COUNT:
		*(uint32_t *)arg = device.queues;
		return 0;
	case VHOST_VDPA_GET_VRING_NUM:
		*(uint16_t *)arg = device.ring_size;
		return 0;
	case VHOST_GET_FEATURES:
		*(uint64_t *)arg = device.has;
		return 0;
	case VHOST_SET_FEATURES:
		device.out_of_order += !!(device.status & VIRTIO_CONFIG_S_FEATURES_OK);
		device.acked = *(uint64_t *)arg;
		return 0;
	default:
		return on_ring(request, arg);
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
		return on_vdpa(request, arg);
	return (int)syscall(SYS_ioctl, fd, request, arg);
}

static int set_up(void **state)
{
	(void)state;
	memset(&device, 0, sizeof(device));
	device.fd = memfd_create("vdpa", MFD_CLOEXEC);
	device.type = VIRTIO_ID_BLOCK;
	device.queues = 4;
	device.ring_size = 256;
	device.config_size = offsetof(struct virtio_blk_config, max_secure_erase_sectors);
	device.config = (struct virtio_blk_config){.capacity = 4711, .blk_size = 4096, .num_queues = 4};
	device.has = V1 | F(VIRTIO_F_ACCESS_PLATFORM) | F(VIRTIO_BLK_F_FLUSH) | F(VIRTIO_BLK_F_CONFIG_WCE) |
		     F(VIRTIO_RING_F_INDIRECT_DESC) | F(VIRTIO_RING_F_EVENT_IDX) | F(VIRTIO_F_RING_PACKED);
	vm = fake_vm_create(64 * MIB);
	return device.fd < 0 || !vm;
}

static int tear_down(void **state)
{
	(void)state;
	fake_vm_destroy(vm);
	close_fd(&device.fd);
	return 0;
}

static void attach(const char *options)
{
	char text[128];

	snprintf(text, sizeof(text), "mode=vdpa,path=" PATH "%s", options);
	dev = fake_attach(vm, &vdpa_ops, text);
	assert_non_null(dev);
}

#define FIELD(name)                                                                                          \
	rd(DEVCFG + offsetof(struct virtio_blk_config, name), sizeof(((struct virtio_blk_config *)0)->name))

static void test_what_is_passed_on(void **state)
{
	(void)state;
	attach(",queues=2");
	assert_int_equal(device.status, 0);
	assert_int_equal(rd(VIRTIO_PCI_COMMON_NUMQ, 2), 2);
	assert_int_equal(rd(VIRTIO_PCI_COMMON_Q_SIZE, 2), 256);
	assert_int_equal(FIELD(capacity), 4711);
	assert_int_equal(FIELD(blk_size), 4096);
	assert_int_equal(FIELD(num_queues), 2);
	assert_int_equal(FIELD(max_secure_erase_sectors), 0);
	assert_int_equal(offered(), V1 | F(VIRTIO_BLK_F_FLUSH) | F(VIRTIO_RING_F_INDIRECT_DESC) |
					    F(VIRTIO_RING_F_EVENT_IDX));
}

/* The guest's memory has been mapped and taken back so many times, where the guest has it. */
static void check_messages(unsigned maps, unsigned unmaps)
{
	size_t n;
	const struct gmem_region *r = gmem_regions(dev->gm, &n);
	struct vhost_msg_v2 m;
	unsigned seen[2] = {0};

	for (off_t at = 0; pread(device.fd, &m, sizeof(m), at) == sizeof(m); at += sizeof(m)) {
		bool map = m.iotlb.type == VHOST_IOTLB_UPDATE;
		size_t i = seen[map]++ % n;

		assert_int_equal(m.type, VHOST_IOTLB_MSG_V2);
		assert_int_equal(m.iotlb.iova, r[i].gpa);
		assert_int_equal(m.iotlb.size, r[i].size);
		assert_int_equal(m.iotlb.uaddr, (uintptr_t)r[i].hva);
	}
	assert_int_equal(seen[1], maps * n);
	assert_int_equal(seen[0], unmaps * n);
}

/* Addresses are the guest's, and are told before it runs; a reset of the guest's is one of the device. */
static void test_start_and_stop(void **state)
{
	(void)state;
	attach("");
	for (unsigned round = 1; round <= 3; round++) {
		bring_up(F(VIRTIO_RING_F_EVENT_IDX), 1);
		assert_int_equal(device.status, RUNNING);
		assert_int_equal(device.acked, V1 | F(VIRTIO_RING_F_EVENT_IDX) | F(VIRTIO_F_ACCESS_PLATFORM));
		assert_int_equal(device.ring[0].size, 64);
		assert_int_equal(device.ring[0].desc, ring[0].l.desc);
		assert_true(device.ring[0].enabled);
		assert_false(device.ring[1].enabled);
		assert_true(eventfd_drain(device.ring[0].kick) > 0); /* nobody has heard those of before */
		check_messages(round, round - 1);
		wr(VIRTIO_PCI_COMMON_STATUS, 1, 0);
		assert_int_equal(device.status, 0);
		assert_int_equal(device.ring[0].kick, -1);
		assert_int_equal(device.ring[0].call, -1);
		check_messages(round, round);
	}
	assert_int_equal(device.out_of_order, 0);
}

static void test_a_ring_outside_memory(void **state)
{
	(void)state;
	attach("");
	assert_true(negotiate(V1));
	wr(VIRTIO_PCI_COMMON_Q_SELECT, 2, 0);
	wr64(VIRTIO_PCI_COMMON_Q_DESCLO, 1ull << 40);
	wr(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	add_status(VIRTIO_CONFIG_S_DRIVER_OK);
	assert_true(get_status() & VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_int_equal(device.ring[0].desc, 0);
	assert_false(device.status & VIRTIO_CONFIG_S_DRIVER_OK);
}

static void test_features_that_it_refuses(void **state)
{
	(void)state;
	attach("");
	device.refuses = true;
	bring_up(0, 1);
	assert_true(get_status() & VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_false(device.status & VIRTIO_CONFIG_S_DRIVER_OK);
}

static void test_no_disk(void **state)
{
	static const char *const refused[] = {"mode=vdpa", "path=/dev/null/none", "path=" PATH ",queues=5",
					      "path=" PATH ",queues=0"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		assert_null(fake_attach(vm, &vdpa_ops, refused[i]));
	device.type = VIRTIO_ID_NET;
	assert_null(fake_attach(vm, &vdpa_ops, "path=" PATH));
	device.type = VIRTIO_ID_BLOCK;
	device.ring_size = 100;
	assert_null(fake_attach(vm, &vdpa_ops, "path=" PATH));
	device.ring_size = 256;
	device.queues = 0;
	assert_null(fake_attach(vm, &vdpa_ops, "path=" PATH));
	device.queues = 1;
	close_fd(&device.fd);
	assert_null(fake_attach(vm, &vdpa_ops, "path=" PATH));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_is_passed_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_start_and_stop, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_ring_outside_memory, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_features_that_it_refuses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_disk, set_up, tear_down),
	};

	log_set_level(LOG_SILENT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
