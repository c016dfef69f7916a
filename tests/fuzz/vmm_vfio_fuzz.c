// SPDX-License-Identifier: MIT
/*
 * libFuzzer: an assigned device. The first 192 bytes are its configuration space from 0x40 on; then
 * records of 4 bytes: what, where (2 bytes), value. The device is a memory file, and its ioctls succeed or
 * fail as the input says.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/unit/fake.h"
#include "tests/unit/fake_vfio.h"
#include "vmm/devices.h"
#include "vmm/pci/regs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OWN_AT	  0x40

static uint8_t moods; /* a bit for each ioctl that fails, taken from the right */

/* In the place of the C library's. */
int ioctl(int on, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	switch (request) {
	case VFIO_DEVICE_GET_INFO:
		((struct vfio_device_info *)arg)->flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
		return 0;
	case VFIO_DEVICE_GET_REGION_INFO:
		return fake_vfio_region(arg);
	case VFIO_DEVICE_GET_IRQ_INFO:
		((struct vfio_irq_info *)arg)->count = moods & 1;
		return 0;
	case VFIO_DEVICE_SET_IRQS:
	case VFIO_DEVICE_RESET:
		moods = (uint8_t)(moods >> 1 | moods << 7);
		errno = EIO;
		return moods & 1 ? -1 : 0;
	}
	return (int)syscall(SYS_ioctl, on, request, arg);
}

static void serve(struct pci_dev *dev, struct vm *vm, const uint8_t r[4])
{
	uint16_t at = (uint16_t)(r[1] | r[2] << 8);
	unsigned len = 1u << (r[0] >> 3 & 3);
	int bar = r[0] & 0x20 ? 3 : 0;
	uint64_t addr = dev->bar[bar].base + at % MAX(dev->bar[bar].size + 8, 1ull);

	switch (r[0] & 3) {
	case 0:
		pci_cfg_write(dev, at & 0xff, len, r[3] * 0x01010101u);
		break;
	case 1:
		pci_cfg_read(dev, at & 0xff, len);
		break;
	case 2:
		bus_write(&vm->mmio, addr, len, r[3] * 0x01010101u);
		break;
	case 3:
		bus_read(&vm->mmio, addr, len);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t config[256] = {0};
	struct pci_dev *dev;
	struct vm *vm;

	log_init("fuzz", -1);
	if (size < sizeof(config) - OWN_AT + 1)
		return 0;
	moods = *data++;
	cfg_put16(config + PCI_VENDOR_ID, 0x8086);
	config[PCI_STATUS] = PCI_STATUS_CAP_LIST;
	config[PCI_CAPABILITY_LIST] = OWN_AT;
	memcpy(config + OWN_AT, data, sizeof(config) - OWN_AT);
	data += sizeof(config) - OWN_AT;
	size -= sizeof(config) - OWN_AT + 1;
	vfio_file = memfd_create("device", MFD_CLOEXEC);
	if (vfio_file < 0 || ftruncate(vfio_file, 3 * MIB) ||
	    pwrite(vfio_file, config, sizeof(config), CONFIG_AT) < 0)
		abort();
	vm = fake_vm_create(MIB);
	dev = fake_attach(vm, &vfio_ops, "host=0000:01:10.0");
	for (; dev && size >= 4; data += 4, size -= 4)
		serve(dev, vm, data);
	fake_vm_destroy(vm);
	close_fd(&vfio_file);
	return 0;
}
