// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vmm/core/bus.h"
#include "vmm/core/machine.h"
#include "vmm/pci/core.h"
#include "vmm/pci/regs.h"

#define CAPS_START 0x40
#define MSI_SIZE   14 /* with a 64-bit address, without masks */

int pci_core_create(struct pci_core **out, struct vm *vm)
{
	struct pci_core *core = calloc(1, sizeof(*core));

	if (!core)
		return -ENOMEM;
	core->vm = vm;
	core->next_mem32 = PCI_MEM32_START;
	core->next_mem64 = PCI_MEM64_START;
	core->next_io = PCI_IO_START;
	pthread_mutex_init(&core->line_lock, NULL);
	*out = core;
	return 0;
}

static void dev_free(struct pci_dev *dev)
{
	pci_bars_unmap(dev);
	if (dev->ops->exit)
		dev->ops->exit(dev);
	pci_irq_free(dev);
	pci_bars_free(dev);
	pthread_mutex_destroy(&dev->irq_lock);
	pthread_mutex_destroy(&dev->lock);
	free(dev);
}

void pci_end_all(struct pci_core *core)
{
	for (int i = 0; i < PCI_SLOTS; i++) {
		if (core->dev[i])
			dev_free(core->dev[i]);
		core->dev[i] = NULL;
	}
}

void pci_core_destroy(struct pci_core *core)
{
	if (!core)
		return;
	pci_end_all(core);
	pthread_mutex_destroy(&core->line_lock);
	free(core);
}

/* "virtio-net0", "virtio-net1"; a name that ends in a digit ("e1000") stays as it is for the first one. */
static void dev_set_name(struct pci_core *core, struct pci_dev *dev)
{
	const char *base = dev->ops->name;
	size_t len = strlen(base);
	unsigned n = 0;

	for (int i = 0; i < PCI_SLOTS; i++)
		n += core->dev[i] && core->dev[i]->ops == dev->ops;
	if (!isdigit((unsigned char)base[len - 1]))
		snprintf(dev->name, sizeof(dev->name), "%s%u", base, n);
	else if (n)
		snprintf(dev->name, sizeof(dev->name), "%s-%u", base, n);
	else
		snprintf(dev->name, sizeof(dev->name), "%s", base);
}

static struct pci_dev *dev_new(struct pci_core *core, const struct pci_ops *ops, int slot)
{
	struct pci_dev *dev = calloc(1, sizeof(*dev));

	if (!dev)
		return NULL;
	dev->ops = ops;
	dev->core = core;
	dev->vm = core->vm;
	dev->gm = vm_gmem(core->vm);
	dev->devfn = (uint8_t)(slot << 3);
	dev->next_cap = CAPS_START;
	dev->msix_bar = dev->msix_pba_bar = -1;
	pthread_mutex_init(&dev->lock, NULL);
	pthread_mutex_init(&dev->irq_lock, NULL);
	for (int i = 0; i < PCI_BARS; i++) {
		dev->bar[i].index = (uint8_t)i;
		dev->bar[i].dev = dev;
	}
	dev_set_name(core, dev);
	cfg_put16(dev->wmask + PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY |
						    PCI_COMMAND_MASTER | PCI_COMMAND_PARITY |
						    PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE);
	dev->wmask[PCI_CACHE_LINE_SIZE] = 0xff;
	dev->wmask[PCI_LATENCY_TIMER] = 0xff;
	return dev;
}

int pci_attach(struct pci_core *core, const struct pci_ops *ops, const struct dev_opts *opts,
	       struct pci_dev **out)
{
	struct pci_dev *dev;
	int slot = 0, err;

	while (slot < PCI_SLOTS && core->dev[slot])
		slot++;
	if (slot == PCI_SLOTS) {
		log_error("%s: all %d PCI slots are taken", ops->name, PCI_SLOTS);
		return -ENOSPC;
	}
	dev = dev_new(core, ops, slot);
	if (!dev)
		return -ENOMEM;
	err = ops->init(dev, opts);
	if (!err && opts)
		err = dev_opts_done(opts);
	if (!err)
		err = pci_bars_assign(dev);
	if (err) {
		dev_free(dev);
		return err;
	}
	core->dev[slot] = dev;
	if (out)
		*out = dev;
	return 0;
}

void pci_reset_all(struct pci_core *core)
{
	core->cf8 = 0;
	for (int i = 0; i < PCI_SLOTS; i++) {
		struct pci_dev *dev = core->dev[i];

		if (!dev)
			continue;
		pthread_mutex_lock(&dev->lock);
		cfg_put16(dev->cfg + PCI_COMMAND, 0);
		pci_bars_update(dev);
		if (dev->ops->reset)
			dev->ops->reset(dev);
		pci_irq_reset(dev);
		for (int b = 0; b < PCI_BARS; b++)
			if (dev->bar[b].kind != PCI_BAR_NONE)
				pci_bars_restore(&dev->bar[b]);
		pthread_mutex_unlock(&dev->lock);
	}
}

void pci_set_id(struct pci_dev *dev, uint16_t vendor, uint16_t device, uint16_t subvendor,
		uint16_t subdevice, uint32_t class_rev)
{
	cfg_put16(dev->cfg + PCI_VENDOR_ID, vendor);
	cfg_put16(dev->cfg + PCI_DEVICE_ID, device);
	cfg_put16(dev->cfg + PCI_SUBSYSTEM_VENDOR_ID, subvendor);
	cfg_put16(dev->cfg + PCI_SUBSYSTEM_ID, subdevice);
	cfg_put32(dev->cfg + PCI_CLASS_REVISION, class_rev);
}

int pci_add_cap(struct pci_dev *dev, uint8_t id, const void *body, unsigned body_len)
{
	unsigned at = dev->next_cap, end = (unsigned)align_up(at + 2 + body_len, 4);
	uint8_t *link = dev->cfg + PCI_CAPABILITY_LIST;

	if (end > PCI_CFG_SPACE_SIZE)
		return -ENOSPC;
	/* Appended, so that the guest meets them in the order they were added. */
	while (*link)
		link = dev->cfg + *link + 1;
	*link = (uint8_t)at;
	dev->cfg[at] = id;
	dev->cfg[at + 1] = 0;
	memcpy(dev->cfg + at + 2, body, body_len);
	dev->cfg[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	dev->next_cap = end;
	return (int)at;
}

void pci_add_intx(struct pci_dev *dev)
{
	dev->cfg[PCI_INTERRUPT_PIN] = 1;
	dev->cfg[PCI_INTERRUPT_LINE] = (uint8_t)pci_dev_gsi(dev);
	dev->wmask[PCI_INTERRUPT_LINE] = 0xff;
}

bool pci_bus_master(const struct pci_dev *dev)
{
	return cfg_get8(dev->cfg + PCI_COMMAND) & PCI_COMMAND_MASTER;
}

static bool overlaps(unsigned off, unsigned len, unsigned at, unsigned size)
{
	return off < at + size && at < off + len;
}

static void cfg_written(struct pci_dev *dev, unsigned off, unsigned len)
{
	bool command = overlaps(off, len, PCI_COMMAND, 2);

	if (command || overlaps(off, len, PCI_BASE_ADDRESS_0, 4 * PCI_BARS))
		pci_bars_update(dev);
	if (command || (dev->msi_cap && overlaps(off, len, dev->msi_cap, MSI_SIZE)) ||
	    (dev->msix_cap && overlaps(off, len, dev->msix_cap, PCI_CAP_MSIX_SIZEOF))) {
		pci_irq_refresh(dev);
		if (dev->ops->irq_changed)
			dev->ops->irq_changed(dev, -1);
	}
}

static bool cfg_access_ok(unsigned off, unsigned len)
{
	return (len == 1 || len == 2 || len == 4) && !(off & (len - 1)) &&
	       range_ok(off, len, PCI_CFG_SIZE);
}

uint32_t pci_cfg_read(struct pci_dev *dev, unsigned off, unsigned len)
{
	uint32_t val = (uint32_t)bus_ones(len);

	if (!cfg_access_ok(off, len))
		return val;
	pthread_mutex_lock(&dev->lock);
	if (!dev->ops->cfg_read || !dev->ops->cfg_read(dev, off, len, &val)) {
		val = 0;
		for (unsigned i = 0; i < len; i++)
			val |= (uint32_t)cfg_get8(dev->cfg + off + i) << (8 * i);
	}
	pthread_mutex_unlock(&dev->lock);
	return val;
}

void pci_cfg_write(struct pci_dev *dev, unsigned off, unsigned len, uint32_t val)
{
	if (!cfg_access_ok(off, len))
		return;
	pthread_mutex_lock(&dev->lock);
	if (!dev->ops->cfg_write || !dev->ops->cfg_write(dev, off, len, val)) {
		for (unsigned i = 0; i < len; i++) {
			uint8_t mask = dev->wmask[off + i], byte = (uint8_t)(val >> (8 * i));

			/* The status is not even written back, because it belongs to whoever raises INTx. */
			if (!mask)
				continue;
			cfg_put8(dev->cfg + off + i,
				 (uint8_t)((dev->cfg[off + i] & ~mask) | (byte & mask)));
		}
		cfg_written(dev, off, len);
	}
	pthread_mutex_unlock(&dev->lock);
}
