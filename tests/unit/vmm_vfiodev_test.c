// SPDX-License-Identifier: MIT
/*
 * An assigned device as the guest sees it. Its fd is a memory file that stands for VFIO's: BAR 0 (64 KiB) at
 * 0, BAR 3 (16 KiB, MSI-X table and pending bits) at 1 MiB, configuration space at 2 MiB.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"
#include "tests/unit/fake.h"
#include "tests/unit/fake_vfio.h"
#include "vmm/devices.h"
#include "vmm/pci/regs.h"

#define VECTORS   3
#define ONES      0xffffffffu

static uint8_t config[256];
static unsigned resets, msix_calls;

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
		((struct vfio_irq_info *)arg)->count = 0;
		return 0;
	case VFIO_DEVICE_SET_IRQS:
		msix_calls += ((struct vfio_irq_set *)arg)->index == VFIO_PCI_MSIX_IRQ_INDEX;
		return 0;
	case VFIO_DEVICE_RESET:
		resets++;
		return 0;
	}
	return (int)syscall(SYS_ioctl, on, request, arg);
}

/* A card with MSI-X in BAR 3, and a capability list of three: power management, MSI-X, PCI Express. */
static void make_card(void)
{
	memset(config, 0, sizeof(config));
	cfg_put16(config + PCI_VENDOR_ID, 0x8086);
	cfg_put16(config + PCI_DEVICE_ID, 0x10ca);
	config[PCI_STATUS] = PCI_STATUS_CAP_LIST;
	config[PCI_CAPABILITY_LIST] = 0x40;
	config[0x40] = PCI_CAP_ID_PM;
	config[0x41] = 0x50;
	config[0x50] = PCI_CAP_ID_MSIX;
	config[0x51] = 0x60;
	cfg_put16(config + 0x50 + PCI_MSIX_FLAGS, VECTORS - 1);
	cfg_put32(config + 0x50 + PCI_MSIX_TABLE, 3);
	cfg_put32(config + 0x50 + PCI_MSIX_PBA, 0x2000 | 3);
	config[0x60] = PCI_CAP_ID_EXP;
	cfg_put16(config + 0x60 + PCI_EXP_FLAGS, 2);
	resets = msix_calls = 0;
}

/* NULL when it is refused. */
static struct vm *attach(struct pci_dev **dev)
{
	struct vm *vm = fake_vm_create(16 * MIB);

	vfio_file = memfd_create("device", MFD_CLOEXEC);
	assert_true(vfio_file >= 0);
	assert_int_equal(ftruncate(vfio_file, 3 * MIB), 0);
	assert_int_equal(pwrite(vfio_file, config, sizeof(config), CONFIG_AT), sizeof(config));
	*dev = fake_attach(vm, &vfio_ops, "host=0000:01:10.0");
	if (*dev)
		return vm;
	fake_vm_destroy(vm);
	close_fd(&vfio_file);
	return NULL;
}

/* The card as it should be. */
static struct vm *attach_card(void **state, struct pci_dev **dev)
{
	struct vm *vm;

	(void)state;
	make_card();
	vm = attach(dev);
	assert_non_null(vm);
	return vm;
}

static void detach(struct vm *vm)
{
	fake_vm_destroy(vm);
	close_fd(&vfio_file);
}

static uint16_t device_command(void)
{
	uint8_t v[2];

	assert_int_equal(pread(vfio_file, v, 2, CONFIG_AT + PCI_COMMAND), 2);
	return cfg_get16(v);
}

/* Guest memory slots that show a part of the device now. */
static unsigned slots(struct vm *vm)
{
	unsigned n = 0;

	for (unsigned i = 0; i < VM_SLOTS; i++)
		n += fake_of(vm)->slot[i].size && fake_of(vm)->slot[i].gpa >= PCI_MEM32_START;
	return n;
}

static unsigned guest_cap(struct pci_dev *dev, uint8_t id)
{
	for (unsigned at = dev->cfg[PCI_CAPABILITY_LIST]; at; at = dev->cfg[at + 1])
		if (dev->cfg[at] == id)
			return at;
	return 0;
}

static void test_what_the_guest_sees(void **state)
{
	struct pci_dev *dev;
	struct vm *vm = attach_card(state, &dev);

	assert_int_equal(pci_cfg_read(dev, PCI_VENDOR_ID, 4), 0x10ca8086);
	assert_int_equal(guest_cap(dev, PCI_CAP_ID_PM), 0);
	assert_int_equal(cfg_get16(dev->cfg + guest_cap(dev, PCI_CAP_ID_EXP) + PCI_EXP_FLAGS) >> 4 & 0xf,
			 PCI_EXP_TYPE_RC_END);
	/* All of BAR 0, and of BAR 3 what is not the page of the table. */
	assert_int_equal(slots(vm), 2);
	detach(vm);
}

/* CVE-2020-12888 was an access to memory that the guest had switched off. */
static void test_memory_switched_off(void **state)
{
	const uint32_t value = 0x12345678;
	struct pci_dev *dev;
	struct vm *vm = attach_card(state, &dev);

	assert_int_equal(pwrite(vfio_file, &value, 4, 8), 4);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(fake_read(dev, 0, 8, 4), value);
		pci_cfg_write(dev, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
		assert_int_equal(slots(vm), 0);
		assert_int_equal(fake_read(dev, 0, 8, 4), ONES);
		/* The device itself decodes on: nothing of the VMM's faults. */
		assert_int_equal(device_command() & PCI_COMMAND_MEMORY, PCI_COMMAND_MEMORY);
		pci_cfg_write(dev, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
		assert_int_equal(slots(vm), 2);
	}
	detach(vm);
}

static void test_command_reaches_the_device(void **state)
{
	struct pci_dev *dev;
	struct vm *vm = attach_card(state, &dev);

	assert_true(device_command() & PCI_COMMAND_MASTER);
	pci_cfg_write(dev, PCI_COMMAND, 1, PCI_COMMAND_MEMORY);
	assert_false(device_command() & PCI_COMMAND_MASTER);
	pci_cfg_write(dev, PCI_COMMAND + 1, 1, PCI_COMMAND_INTX_DISABLE >> 8);
	assert_true(device_command() & PCI_COMMAND_INTX_DISABLE);
	pci_cfg_write(dev, PCI_COMMAND, 4, PCI_COMMAND_MASTER);
	assert_int_equal(device_command(), PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY | PCI_COMMAND_IO);
	detach(vm);
}

/* The table is the core's: what the guest writes into it does not reach the device, and is there when read
 * back. */
static void test_table_is_not_the_devices(void **state)
{
	struct pci_dev *dev;
	struct vm *vm = attach_card(state, &dev);
	uint32_t on_device;

	fake_msix_on(dev, VECTORS);
	assert_int_equal(msix_calls, 1);
	assert_int_equal(fake_read(dev, 3, 16 + 8, 4), 0x4001);
	assert_int_equal(pread(vfio_file, &on_device, 4, BAR3_AT + 16 + 8), 4);
	assert_int_equal(on_device, 0);
	for (unsigned v = 0; v < 100; v++) {
		fake_write(dev, 3, 12, 4, v & 1);
		assert_int_equal(fake_read(dev, 3, 12, 4), v & 1);
	}
	assert_int_equal(msix_calls, 1); /* masking is KVM's routes, not the device's vectors */
	detach(vm);
}

static void test_guest_reset(void **state)
{
	struct pci_dev *dev;
	struct vm *vm = attach_card(state, &dev);

	fake_msix_on(dev, VECTORS);
	pci_reset_all(vm->pci);
	assert_int_equal(resets, 1);
	assert_int_equal(msix_calls, 2);
	assert_false(device_command() & PCI_COMMAND_MASTER); /* no DMA into the next boot's memory */
	assert_int_equal(slots(vm), 0);
	pci_cfg_write(dev, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	fake_msix_on(dev, VECTORS);
	assert_int_equal(msix_calls, 3);
	detach(vm);
}

static void test_odd_devices(void **state)
{
	struct pci_dev *dev;
	struct vm *vm;

	(void)state;
	/* A list that loops, without what is looked for. */
	make_card();
	config[0x41] = 0x40;
	vm = attach(&dev);
	assert_non_null(vm);
	assert_int_equal(guest_cap(dev, PCI_CAP_ID_MSIX), 0);
	detach(vm);
	/* A table that is not in its BAR, or in none. */
	make_card();
	cfg_put32(config + 0x50 + PCI_MSIX_TABLE, (BAR3 - 16) | 3);
	assert_null(attach(&dev));
	make_card();
	cfg_put32(config + 0x50 + PCI_MSIX_TABLE, 7);
	assert_null(attach(&dev));
	make_card();
	cfg_put32(config + 0x50 + PCI_MSIX_PBA, 7);
	assert_null(attach(&dev));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_the_guest_sees),
		cmocka_unit_test(test_memory_switched_off),
		cmocka_unit_test(test_command_reaches_the_device),
		cmocka_unit_test(test_table_is_not_the_devices),
		cmocka_unit_test(test_guest_reset),
		cmocka_unit_test(test_odd_devices),
	};

	log_init("test", LOG_ERROR);
	return cmocka_run_group_tests_name("vmm/vfio device", tests, NULL, NULL);
}
