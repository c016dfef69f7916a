// SPDX-License-Identifier: MIT
/* Interrupts and notifications of an assigned device, with VFIO's ioctls recorded: in which order, with which
 * eventfds. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "tests/unit/fake.h"
#include "vmm/pci/regs.h"
#include "vmm/devices/vfio/vfio.h"

#define VECTORS 4

static struct strbuf calls = STRBUF_INIT;
static int refuse_index = -1;

static void record(const struct vfio_irq_set *set)
{
	static const char *const index[] = {"intx", "msi", "msix", "err", "req"};

	strbuf_addf(&calls, "%s%s %s %u", calls.len ? ", " : "", index[set->index],
		    set->flags & VFIO_IRQ_SET_ACTION_UNMASK ? "unmask" : "trigger", set->count);
}

/* In the place of the C library's. */
int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (request == VFIO_DEVICE_GET_IRQ_INFO) {
		((struct vfio_irq_info *)arg)->count = 1;
		return 0;
	}
	if (request != VFIO_DEVICE_SET_IRQS)
		return (int)syscall(SYS_ioctl, fd, request, arg);
	record(arg);
	if ((int)((struct vfio_irq_set *)arg)->index != refuse_index)
		return 0;
	errno = ENOSPC;
	return -1;
}

static struct vfio_device device;

static int card_init(struct pci_dev *dev, const struct dev_opts *opts)
{
	(void)opts;
	pci_add_intx(dev);
	return pci_add_msix(dev, 0, VECTORS);
}

static void card_irq_changed(struct pci_dev *dev, int vector)
{
	(void)dev;
	if (vector < 0 && device.pci)
		vfio_irq_update(&device);
}

static const struct pci_ops card_ops = {.name = "card", .init = card_init, .irq_changed = card_irq_changed};

static struct vm *set_up_card(void)
{
	struct vm *vm = fake_vm_create(16 * MIB);
	struct pci_dev *dev = fake_attach(vm, &card_ops, "");

	device = (struct vfio_device){.pci = dev, .addr = "0000:01:10.0", .faults = IOMMU_WATCH_INIT};
	device.fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	device.intx_fd = device.unmask_fd = device.err_fd = device.req_fd = -1;
	refuse_index = -1;
	assert_int_equal(vfio_irq_init(&device, VECTORS, false, true), 0);
	return vm;
}

static void end_card(struct vm *vm)
{
	vfio_irq_exit(&device);
	close_fd(&device.fd);
	device.pci = NULL;
	fake_vm_destroy(vm);
	strbuf_free(&calls);
}

static void made(const char *want)
{
	assert_string_equal(strbuf_str(&calls), want);
	strbuf_free(&calls);
}

static void msix(bool on)
{
	pci_cfg_write(device.pci, device.pci->msix_cap + PCI_MSIX_FLAGS, 2, on ? PCI_MSIX_FLAGS_ENABLE : 0);
}

static void test_one_kind_at_a_time(void **state)
{
	struct vm *vm = set_up_card();

	(void)state;
	/* The pin's eventfd is KVM's from the start, with the resample one that acknowledges. */
	assert_int_equal(fake_of(vm)->n_irqfd, 1);
	assert_int_equal(fake_of(vm)->irqfd[0].gsi, pci_dev_gsi(device.pci));
	vfio_irq_update(&device);
	made("intx trigger 1, intx unmask 1");
	vfio_irq_update(&device);
	made("");
	msix(true);
	made("intx trigger 0, msix trigger 4");
	msix(false);
	made("msix trigger 0, intx trigger 1, intx unmask 1");
	end_card(vm);
}

static void test_reset_switches_all_off(void **state)
{
	struct vm *vm = set_up_card();

	(void)state;
	msix(true);
	made("msix trigger 4");
	vfio_irq_off(&device);
	made("msix trigger 0");
	/* After the reset the guest's new driver switches on, and it happens. */
	pci_irq_reset(device.pci);
	msix(true);
	made("msix trigger 4");
	end_card(vm);
}

/* The host is out of vectors: the device stays silent and the next try is a new one. */
static void test_refused(void **state)
{
	struct vm *vm = set_up_card();

	(void)state;
	refuse_index = VFIO_PCI_MSIX_IRQ_INDEX;
	msix(true);
	made("msix trigger 4");
	assert_false(device.msix_on);
	refuse_index = -1;
	vfio_irq_update(&device);
	made("msix trigger 4");
	assert_true(device.msix_on);
	end_card(vm);
}

static void ends_the_run(bool error)
{
	const uint64_t one = 1;
	struct vm *vm = set_up_card();
	uint64_t until = clock_ns() + 5 * NSEC_PER_SEC;

	assert_int_equal(vfio_notify_init(&device), 0);
	made("err trigger 1, req trigger 1");
	assert_false(vm_has_ended(vm));
	assert_int_equal(write(error ? device.err_fd : device.req_fd, &one, sizeof(one)), sizeof(one));
	while (!vm_has_ended(vm) && clock_ns() < until)
		clock_sleep_ns(NSEC_PER_MSEC);
	assert_true(vm_has_ended(vm));
	assert_int_equal(vm->end_status, 1);
	end_card(vm);
}

static void test_error_ends_the_run(void **state)
{
	(void)state;
	ends_the_run(true);
}

static void test_request_ends_the_run(void **state)
{
	(void)state;
	ends_the_run(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_kind_at_a_time),
		cmocka_unit_test(test_reset_switches_all_off),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_error_ends_the_run),
		cmocka_unit_test(test_request_ends_the_run),
	};

	log_init("test", LOG_ERROR);
	return cmocka_run_group_tests_name("vmm/vfio", tests, NULL, NULL);
}
