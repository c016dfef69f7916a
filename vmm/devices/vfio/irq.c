// SPDX-License-Identifier: MIT
/* Interrupts of an assigned device, and what the host reports of it: errors, requests to give it back, DMA
 * faults. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/devices/vfio/vfio.h"

/* Attach n eventfds to an interrupt index; n 0 switches it off. */
static int set_irqs(struct vfio_device *d, unsigned index, uint32_t action, const int *fds, unsigned n)
{
	size_t size = sizeof(struct vfio_irq_set) + n * sizeof(int);
	struct vfio_irq_set *set = calloc(1, size);
	int err;

	if (!set)
		return -ENOMEM;
	set->argsz = (uint32_t)size;
	set->flags = action | (n ? VFIO_IRQ_SET_DATA_EVENTFD : VFIO_IRQ_SET_DATA_NONE);
	set->index = index;
	set->count = n;
	if (n)
		memcpy(set->data, fds, n * sizeof(int));
	err = vfio_ioctl(d, VFIO_DEVICE_SET_IRQS, set);
	if (err)
		log_guest("%s: interrupts (index %u, %u vectors): %s", d->addr, index, n, strerror(-err));
	free(set);
	return err;
}

int vfio_irq_init(struct vfio_device *d, unsigned msix_vectors, bool msi, bool pin)
{
	d->n_msix = msix_vectors;
	/* Kernels before 6.5 cannot add vectors later: all of them get their eventfd at once. */
	if (msix_vectors || msi) {
		unsigned n = MAX(msix_vectors, 1u);

		d->msix_fd = calloc(n, sizeof(int));
		if (!d->msix_fd)
			return -ENOMEM;
		for (unsigned i = 0; i < n; i++) {
			d->msix_fd[i] = pci_irq_fd(d->pci, i);
			if (d->msix_fd[i] < 0)
				return d->msix_fd[i];
		}
	}
	if (!pin)
		return 0;
	d->intx_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	d->unmask_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->intx_fd < 0 || d->unmask_fd < 0)
		return -errno;
	return vm_irqfd(d->pci->vm, d->intx_fd, (int)pci_dev_gsi(d->pci), d->unmask_fd, true);
}

static void switch_irq(struct vfio_device *d, bool *is, bool want, unsigned index, const int *fds, unsigned n)
{
	if (*is == want)
		return;
	if (!set_irqs(d, index, VFIO_IRQ_SET_ACTION_TRIGGER, fds, want ? n : 0) || !want)
		*is = want;
}

/* INTx masks itself when it fires; KVM's resample eventfd, the guest's EOI, unmasks it. */
static void switch_intx(struct vfio_device *d, bool want)
{
	if (d->intx_fd < 0 || d->intx_on == want)
		return;
	switch_irq(d, &d->intx_on, want, VFIO_PCI_INTX_IRQ_INDEX, &d->intx_fd, 1);
	if (d->intx_on)
		set_irqs(d, VFIO_PCI_INTX_IRQ_INDEX, VFIO_IRQ_SET_ACTION_UNMASK, &d->unmask_fd, 1);
}

void vfio_irq_update(struct vfio_device *d)
{
	bool msix = d->n_msix && pci_msix_enabled(d->pci),
	     msi = !msix && d->msix_fd && pci_msi_enabled(d->pci);

	/* A device has one kind at a time: off before on. */
	if (msix || msi)
		switch_intx(d, false);
	if (!msix)
		switch_irq(d, &d->msix_on, false, VFIO_PCI_MSIX_IRQ_INDEX, NULL, 0);
	if (!msi)
		switch_irq(d, &d->msi_on, false, VFIO_PCI_MSI_IRQ_INDEX, NULL, 0);
	switch_irq(d, &d->msix_on, msix, VFIO_PCI_MSIX_IRQ_INDEX, d->msix_fd, d->n_msix);
	switch_irq(d, &d->msi_on, msi, VFIO_PCI_MSI_IRQ_INDEX, d->msix_fd, 1);
	if (!msix && !msi)
		switch_intx(d, true);
}

void vfio_irq_off(struct vfio_device *d)
{
	switch_irq(d, &d->msix_on, false, VFIO_PCI_MSIX_IRQ_INDEX, NULL, 0);
	switch_irq(d, &d->msi_on, false, VFIO_PCI_MSI_IRQ_INDEX, NULL, 0);
	switch_intx(d, false);
}

static void on_error(void *arg, uint32_t events)
{
	struct vfio_device *d = arg;

	(void)events;
	log_error("%s: the device reports an unrecoverable error; the guest is ended", d->addr);
	evloop_mod(d->loop, d->err_fd, 0);
	vm_end(d->pci->vm, VM_END_CRASH, 1);
}

static void on_request(void *arg, uint32_t events)
{
	struct vfio_device *d = arg;

	(void)events;
	log_error("%s: the host wants the device back (unbind or unplug); the guest is ended", d->addr);
	evloop_mod(d->loop, d->req_fd, 0);
	vm_end(d->pci->vm, VM_END_CRASH, 1);
}

static int notify_by_eventfd(struct vfio_device *d, unsigned index, int *fd, evloop_fn fn)
{
	struct vfio_irq_info info = {.argsz = sizeof(info), .index = index};
	int err;

	if (ioctl(d->fd, VFIO_DEVICE_GET_IRQ_INFO, &info) || !info.count)
		return 0;
	*fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (*fd < 0)
		return -errno;
	err = evloop_add(d->loop, *fd, EPOLLIN, fn, d);
	if (err)
		return err;
	return set_irqs(d, index, VFIO_IRQ_SET_ACTION_TRIGGER, fd, 1);
}

static void on_fault(void *arg, uint32_t events)
{
	struct vfio_device *d = arg;
	uint64_t n = iommu_watch_read(&d->faults);

	(void)events;
	if (!n)
		return;
	__atomic_fetch_add(&d->stats->bad, n, __ATOMIC_RELAXED);
	log_guest("%s: DMA outside the guest's memory, stopped by the IOMMU: %llu so far, the first at 0x%llx", d->addr,
		  (unsigned long long)d->faults.faults, (unsigned long long)d->faults.first);
}

/* The kernel tells nobody but its log. */
static int watch_faults(struct vfio_device *d)
{
	d->stats = vm_stats_queue(d->pci->vm, d->pci->name);
	if (iommu_watch_open(&d->faults, d->addr)) {
		log_debug("%s: faults of the IOMMU are not counted: /dev/kmsg: %s", d->addr, strerror(errno));
		return 0;
	}
	return evloop_add(d->loop, d->faults.fd, EPOLLIN, on_fault, d);
}

int vfio_notify_init(struct vfio_device *d)
{
	int err = evloop_create(&d->loop, vm_threads(d->pci->vm), THREAD_IO, d->pci->name);

	if (!err)
		err = notify_by_eventfd(d, VFIO_PCI_ERR_IRQ_INDEX, &d->err_fd, on_error);
	if (!err)
		err = notify_by_eventfd(d, VFIO_PCI_REQ_IRQ_INDEX, &d->req_fd, on_request);
	if (err)
		return err;
	return watch_faults(d);
}

void vfio_irq_exit(struct vfio_device *d)
{
	if (d->fd >= 0)
		vfio_irq_off(d);
	if (d->intx_fd >= 0)
		vm_irqfd(d->pci->vm, d->intx_fd, (int)pci_dev_gsi(d->pci), d->unmask_fd, false);
	if (d->loop)
		evloop_destroy(d->loop);
	if (d->faults.fd >= 0)
		on_fault(d, 0); /* the last ones */
	iommu_watch_close(&d->faults);
	close_fd(&d->intx_fd);
	close_fd(&d->unmask_fd);
	close_fd(&d->err_fd);
	close_fd(&d->req_fd);
	free(d->msix_fd);
}
