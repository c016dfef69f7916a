// SPDX-License-Identifier: MIT
/*
 * libFuzzer: a kernel whose vhost-net, or with the highest bit of the first 8 bytes vhost-scsi, answers what
 * the input says. Those bytes are its features; each further byte is one ioctl (odd: it fails) or the base
 * that a ring reports. The device is opened, started, its pairs and rings are changed, and it is stopped: no
 * file is left open, and nothing fails while the kernel does not.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/vhost.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/unit/fake.h"
#include "vmm/devices.h"
#include "vmm/devices/virtio_net/net.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *input;
static size_t left;
static uint64_t features;
static bool kernel_failed;

static uint8_t next_byte(void)
{
	if (!left)
		return 0;
	left--;
	return *input++;
}

static uint64_t next_word(void)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 8; i++)
		v |= (uint64_t)next_byte() << 8 * i;
	return v;
}

/* In the place of the C library's: vhost's requests are type 0xaf, a TAP's 'T', an interface's 0x89. */
int ioctl(int on, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (request == SIOCGIFMTU || request == SIOCGIFFLAGS) {
		*(struct ifreq *)arg = (struct ifreq){.ifr_mtu = 1500};
		return 0;
	}
	if (_IOC_TYPE(request) != VHOST_VIRTIO && _IOC_TYPE(request) != 'T')
		return (int)syscall(SYS_ioctl, on, request, arg);
	errno = EIO;
	if (next_byte() & 1) {
		kernel_failed = true;
		return -1;
	}
	if (request == VHOST_GET_FEATURES)
		*(uint64_t *)arg = features;
	if (request == VHOST_GET_VRING_BASE)
		((struct vhost_vring_state *)arg)->num = next_byte() * 0x01010101u;
	return 0;
}

/* The same, for the device that this machine need not have. */
int open(const char *path, int flags, ...)
{
	if (!strncmp(path, "/dev/vhost-", 11) || !strcmp(path, "/dev/net/tun"))
		return memfd_create("device", MFD_CLOEXEC);
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0600);
}

static int count_files(void)
{
	int n = 0;

	for (int fd = 0; fd < 128; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

#define BAR 4

static void use(struct pci_dev *dev)
{
	struct vnet *net = dev->priv;
	struct net_backend *be = &net->be;

	for (unsigned i = 0; i < 4; i++)
		be->rings[i] = (struct served_ring){
			.layout = {.size = 64, .desc = 0x1000, .driver = 0x2000, .device = 0x3000},
			.ready = true,
			.kick_fd = net->vd.q[i].kick_fd,
			.call_fd = net->vd.q[i].kick_fd,
		};
	if (be->ops->start(be, be->features, 4)) {
		if (!kernel_failed)
			abort();
		return;
	}
	while (left) {
		uint8_t r = next_byte();

		if (r & 1)
			be->ops->set_pairs(be, 1 + (r >> 1 & 1));
		else if (r & 2)
			be->ops->ring_stop(be, r >> 2 & 3);
		else
			be->ops->ring_start(be, r >> 2 & 3);
	}
	be->ops->stop(be);
}

/* Started and stopped for as long as there is input. */
static void use_scsi(struct pci_dev *dev)
{
	struct virtio_dev *vd = dev->priv;

	for (unsigned i = 0; i < vd->n_queues; i++) {
		vd->q[i].layout = (struct virtq_layout){
			.size = 64, .desc = 0x1000, .driver = 0x2000, .device = 0x3000};
		vd->q[i].enabled = next_byte() & 1;
	}
	while (left) {
		if (vd->ops->start(vd) && !kernel_failed)
			abort();
		vd->ops->stop(vd);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int files = count_files();
	struct pci_dev *dev;
	struct vm *vm;
	bool scsi;

	log_init("fuzz", -1);
	input = data;
	left = size;
	kernel_failed = false;
	features = next_word() | 1ull << VIRTIO_F_VERSION_1; /* or it is not used */
	vm = fake_vm_create(MIB);
	scsi = features >> 63;
	if (scsi)
		dev = fake_attach(vm, &vhost_scsi_ops, "wwpn=naa.1,queues=2");
	else
		dev = fake_attach(vm, &virtio_net_ops, "mode=vhost,queues=2,tap=fuzz");
	if (!dev && !kernel_failed)
		abort();
	if (dev && scsi)
		use_scsi(dev);
	else if (dev)
		use(dev);
	fake_vm_destroy(vm);
	if (count_files() != files)
		abort();
	return 0;
}
