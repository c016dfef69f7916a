// SPDX-License-Identifier: MIT
/*
 * Delivery of MSI-X, MSI and INTx. A vector with an eventfd is attached to KVM only while it could be
 * delivered; while it could not, the eventfd keeps what was raised, and KVM delivers it when it is
 * attached again (it polls a new irqfd once).
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/core/bus.h"
#include "vmm/core/eventfd.h"
#include "vmm/pci/core.h"
#include "vmm/pci/regs.h"

uint16_t pci_msix_control(const struct pci_dev *dev)
{
	return dev->msix_cap ? cfg_get16(dev->cfg + dev->msix_cap + PCI_MSIX_FLAGS) : 0;
}

static uint16_t pci_msi_control(const struct pci_dev *dev)
{
	return dev->msi_cap ? cfg_get16(dev->cfg + dev->msi_cap + PCI_MSI_FLAGS) : 0;
}

bool pci_msix_enabled(const struct pci_dev *dev)
{
	return pci_msix_control(dev) & PCI_MSIX_FLAGS_ENABLE;
}

bool pci_msi_enabled(const struct pci_dev *dev)
{
	/* With both on, MSI-X wins (PCI 3.0, 6.8.2). */
	return !pci_msix_enabled(dev) && pci_msi_control(dev) & PCI_MSI_FLAGS_ENABLE;
}

int pci_vectors_alloc(struct pci_dev *dev, unsigned n)
{
	struct pci_msix_vector *v;

	if (n <= dev->n_vectors)
		return 0;
	v = realloc(dev->vector, n * sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (unsigned i = dev->n_vectors; i < n; i++)
		v[i] = (struct pci_msix_vector){.masked = true, .route = -1, .irqfd = -1};
	dev->vector = v;
	dev->n_vectors = n;
	return 0;
}

static void msi_message(const struct pci_dev *dev, unsigned v, uint64_t *addr, uint32_t *data)
{
	const uint8_t *cap = dev->cfg + dev->msi_cap;
	unsigned enabled = 1u << MIN((pci_msi_control(dev) & PCI_MSI_FLAGS_QSIZE) >> 4, 5);

	*addr = cfg_get32(cap + PCI_MSI_ADDRESS_LO) | (uint64_t)cfg_get32(cap + PCI_MSI_ADDRESS_HI)
							      << 32;
	/* Fewer messages granted than wanted: vectors share them (PCI 3.0, 6.8.1.3). */
	*data = (cfg_get16(cap + PCI_MSI_DATA_64) & ~(enabled - 1)) | (v & (enabled - 1));
}

/* The message that vector v sends now; false when it may send none. */
static bool message_of(const struct pci_dev *dev, unsigned v, uint64_t *addr, uint32_t *data)
{
	const struct pci_msix_vector *vec = &dev->vector[v];

	if (!pci_bus_master(dev))
		return false;
	if (pci_msix_enabled(dev)) {
		*addr = vec->addr;
		*data = vec->data;
		return !vec->masked && !(pci_msix_control(dev) & PCI_MSIX_FLAGS_MASKALL) && *addr;
	}
	if (!pci_msi_enabled(dev))
		return false;
	msi_message(dev, v, addr, data);
	return *addr;
}

static void vector_detach(struct pci_dev *dev, struct pci_msix_vector *vec)
{
	if (vec->route < 0)
		return;
	vm_irqfd(dev->vm, vec->irqfd, vec->route, -1, false);
	vm_msi_unroute(dev->vm, vec->route);
	vec->route = -1;
}

static void vector_attach(struct pci_dev *dev, struct pci_msix_vector *vec, uint64_t addr,
			  uint32_t data)
{
	bool attached = vec->route >= 0;

	/* KVM waits for a grace period at each change of its routes, so changes that change nothing are left
	 * out. */
	if (attached && vec->routed_addr == addr && vec->routed_data == data)
		return;
	if (vm_msi_route(dev->vm, &vec->route, addr, data) < 0) {
		log_guest("%s: no interrupt route left", dev->name);
		return;
	}
	vec->routed_addr = addr;
	vec->routed_data = data;
	if (!attached && vm_irqfd(dev->vm, vec->irqfd, vec->route, -1, true) < 0) {
		log_guest("%s: cannot attach an interrupt", dev->name);
		vm_msi_unroute(dev->vm, vec->route);
		vec->route = -1;
	}
}

void pci_vector_refresh(struct pci_dev *dev, unsigned v)
{
	struct pci_msix_vector *vec = &dev->vector[v];
	bool deliver;
	uint64_t addr;
	uint32_t data;

	deliver = message_of(dev, v, &addr, &data);
	if (vec->irqfd >= 0 && deliver)
		vector_attach(dev, vec, addr, data);
	else if (vec->irqfd >= 0)
		vector_detach(dev, vec);
	if (vec->pending && deliver && pci_msix_enabled(dev)) {
		vec->pending = false;
		vm_msi_send(dev->vm, addr, data);
	}
}

/* Under line_lock. Lines are shared: a GSI is high while any device asserts it. */
static void line_update(struct pci_dev *dev)
{
	unsigned gsi = pci_dev_gsi(dev), *users = &dev->core->line_users[gsi - PCI_INTX_GSI];
	uint16_t status = cfg_get16(dev->cfg + PCI_STATUS) & (uint16_t)~PCI_STATUS_INTERRUPT;
	bool on = dev->intx_level &&
		  !(cfg_get16(dev->cfg + PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE);

	cfg_put16(dev->cfg + PCI_STATUS, (uint16_t)(status | bits_if(dev->intx_level, PCI_STATUS_INTERRUPT)));
	if (on == dev->intx_asserted)
		return;
	dev->intx_asserted = on;
	if (on && ++*users == 1)
		vm_irq_line(dev->vm, gsi, true);
	if (!on && --*users == 0)
		vm_irq_line(dev->vm, gsi, false);
}

void pci_irq_intx(struct pci_dev *dev, bool level)
{
	pthread_mutex_lock(&dev->core->line_lock);
	dev->intx_level = level;
	line_update(dev);
	pthread_mutex_unlock(&dev->core->line_lock);
}

void pci_irq_refresh(struct pci_dev *dev)
{
	pthread_mutex_lock(&dev->irq_lock);
	for (unsigned v = 0; v < dev->n_vectors; v++)
		pci_vector_refresh(dev, v);
	pthread_mutex_unlock(&dev->irq_lock);
	/* INTx Disable may have changed; the level is whatever the device says at this moment. */
	pthread_mutex_lock(&dev->core->line_lock);
	line_update(dev);
	pthread_mutex_unlock(&dev->core->line_lock);
}

void pci_irq_msg(struct pci_dev *dev, unsigned v)
{
	uint64_t addr;
	uint32_t data;

	pthread_mutex_lock(&dev->irq_lock);
	if (v < dev->n_vectors) {
		if (message_of(dev, v, &addr, &data))
			vm_msi_send(dev->vm, addr, data);
		else if (pci_msix_enabled(dev))
			dev->vector[v].pending = true;
	}
	pthread_mutex_unlock(&dev->irq_lock);
}

int pci_irq_fd(struct pci_dev *dev, unsigned v)
{
	int fd;

	if (v >= dev->n_vectors)
		return -EINVAL;
	pthread_mutex_lock(&dev->irq_lock);
	fd = dev->vector[v].irqfd;
	if (fd < 0) {
		fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (fd < 0) {
			fd = -errno;
		} else {
			dev->vector[v].irqfd = fd;
			pci_vector_refresh(dev, v);
		}
	}
	pthread_mutex_unlock(&dev->irq_lock);
	return fd;
}

int pci_irq_fd_made(struct pci_dev *dev, unsigned v)
{
	int fd;

	if (v >= dev->n_vectors)
		return -1;
	pthread_mutex_lock(&dev->irq_lock);
	fd = dev->vector[v].irqfd;
	pthread_mutex_unlock(&dev->irq_lock);
	return fd;
}

void pci_irq_reset(struct pci_dev *dev)
{
	if (dev->msix_cap)
		cfg_put16(dev->cfg + dev->msix_cap + PCI_MSIX_FLAGS,
			  (uint16_t)(pci_msix_control(dev) & PCI_MSIX_FLAGS_QSIZE));
	if (dev->msi_cap)
		cfg_put16(dev->cfg + dev->msi_cap + PCI_MSI_FLAGS,
			  pci_msi_control(dev) & ~(PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE));
	pci_irq_refresh(dev);
	pthread_mutex_lock(&dev->irq_lock);
	for (unsigned v = 0; v < dev->n_vectors; v++) {
		struct pci_msix_vector *vec = &dev->vector[v];

		vec->addr = vec->data = 0;
		vec->masked = true;
		vec->pending = false;
		if (vec->irqfd >= 0)
			eventfd_drain(vec->irqfd); /* drops what was raised before the reset */
	}
	pthread_mutex_unlock(&dev->irq_lock);
	pci_irq_intx(dev, false);
}

void pci_irq_free(struct pci_dev *dev)
{
	for (unsigned v = 0; v < dev->n_vectors; v++) {
		if (dev->vector[v].irqfd >= 0)
			vector_detach(dev, &dev->vector[v]);
		close_fd(&dev->vector[v].irqfd);
	}
	free(dev->vector);
	dev->vector = NULL;
	dev->n_vectors = 0;
}
