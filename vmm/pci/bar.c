// SPDX-License-Identifier: MIT
/* Base address registers: where a device's registers lie, and what follows when a guest moves them. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vmm/core/bus.h"
#include "vmm/pci/core.h"
#include "vmm/pci/regs.h"

/* An ioeventfd inside a BAR. */
struct pci_doorbell {
	struct pci_doorbell *next;
	int bar;
	uint64_t off;
	struct ioeventfd io; /* addr is set when the BAR is mapped */
	bool active;         /* KVM has it */
};

/* Host memory inside a BAR. */
struct pci_backing {
	struct pci_backing *next;
	int bar;
	uint64_t off, len;
	void *hva;
	int slot; /* -1: not in the guest's address space */
};

struct pci_reg_name {
	struct pci_reg_name *next;
	int bar;
	uint64_t off, len;
	struct stats_region *region;
};

static bool access_ok(uint64_t off, unsigned len)
{
	return is_pow2(len) && len <= 8 && !(off & (len - 1));
}

static uint64_t bar_bus_read(void *arg, uint64_t off, unsigned len)
{
	struct pci_bar *bar = arg;
	struct pci_dev *dev = bar->dev;
	uint64_t val = bus_ones(len);

	if (!access_ok(off, len))
		return val;
	pthread_mutex_lock(&dev->lock);
	if (!pci_msix_access(dev, bar->index, off, len, &val, false) && dev->ops->bar_read)
		val = dev->ops->bar_read(dev, bar->index, off, len);
	pthread_mutex_unlock(&dev->lock);
	return val;
}

static void bar_bus_write(void *arg, uint64_t off, unsigned len, uint64_t val)
{
	struct pci_bar *bar = arg;
	struct pci_dev *dev = bar->dev;

	if (!access_ok(off, len))
		return;
	pthread_mutex_lock(&dev->lock);
	if (!pci_msix_access(dev, bar->index, off, len, &val, true) && dev->ops->bar_write)
		dev->ops->bar_write(dev, bar->index, off, len, val);
	pthread_mutex_unlock(&dev->lock);
}

static const struct bus_ops bar_bus_ops = {"PCI BAR", bar_bus_read, bar_bus_write};

/* The bits of the register that say what kind of BAR it is. */
static uint32_t bar_flags_mask(enum pci_bar_kind kind)
{
	return kind == PCI_BAR_IO ? 3 : 0xf;
}

static uint8_t *bar_reg(struct pci_bar *bar)
{
	return bar->dev->cfg + PCI_BASE_ADDRESS_0 + 4 * bar->index;
}

static uint8_t *bar_wmask(struct pci_bar *bar)
{
	return bar->dev->wmask + PCI_BASE_ADDRESS_0 + 4 * bar->index;
}

int pci_add_bar(struct pci_dev *dev, int index, enum pci_bar_kind kind, uint64_t size)
{
	static const struct {
		uint32_t flags;
		uint64_t min, max;
	} kinds[] = {
		[PCI_BAR_IO] = {PCI_BASE_ADDRESS_SPACE_IO, 4, 256},
		[PCI_BAR_MEM32] = {PCI_BASE_ADDRESS_MEM_TYPE_32, 16, 1ull << 28},
		[PCI_BAR_MEM64] = {PCI_BASE_ADDRESS_MEM_TYPE_64, 16, 1ull << 35},
	};
	struct pci_bar *bar = &dev->bar[index];
	uint64_t mask = ~(size - 1);
	char name[STATS_NAME];

	BUG_ON(index < 0 || index >= PCI_BARS || bar->kind != PCI_BAR_NONE);
	if (kind == PCI_BAR_NONE || !is_pow2(size) || size < kinds[kind].min ||
	    size > kinds[kind].max || (kind == PCI_BAR_MEM64 && index == PCI_BARS - 1)) {
		log_error("%s: BAR %d of %" PRIu64 " bytes cannot be", dev->name, index, size);
		return -EINVAL;
	}
	bar->kind = kind;
	bar->size = size;
	cfg_put32(bar_reg(bar), kinds[kind].flags);
	cfg_put32(bar_wmask(bar), (uint32_t)mask & ~bar_flags_mask(kind));
	if (kind == PCI_BAR_MEM64)
		cfg_put32(bar_wmask(bar) + 4, (uint32_t)(mask >> 32));
	snprintf(name, sizeof(name), "%s BAR%d", dev->name, index);
	bar->region = vm_stats_region(dev->vm, name, kind == PCI_BAR_IO, 0, 0);
	return 0;
}

static uint64_t bar_programmed(struct pci_bar *bar)
{
	uint64_t base = cfg_get32(bar_reg(bar));

	if (bar->kind == PCI_BAR_IO)
		return base & 0xfffc;
	if (bar->kind == PCI_BAR_MEM64)
		base |= (uint64_t)cfg_get32(bar_reg(bar) + 4) << 32;
	return base & ~0xfull;
}

static void bar_program(struct pci_bar *bar, uint64_t base)
{
	uint32_t flags = cfg_get32(bar_reg(bar)) & bar_flags_mask(bar->kind);

	cfg_put32(bar_reg(bar), (uint32_t)base | flags);
	if (bar->kind == PCI_BAR_MEM64)
		cfg_put32(bar_reg(bar) + 4, (uint32_t)(base >> 32));
}

void pci_bars_restore(struct pci_bar *bar)
{
	bar_program(bar, bar->firmware_base);
}

static int bar_assign(struct pci_core *core, struct pci_bar *bar)
{
	/* A page of its own each: backed BARs and their neighbours are mapped by page. */
	uint64_t *next, end, base, align = MAX(bar->size, 4096ull);

	if (bar->kind == PCI_BAR_IO)
		next = &core->next_io, end = PCI_IO_END, align = bar->size;
	/* Small 64-bit BARs go below 4 GiB, where every guest can reach them. */
	else if (bar->kind == PCI_BAR_MEM32 || bar->size <= 16 * MIB)
		next = &core->next_mem32, end = PCI_MEM32_END;
	else
		next = &core->next_mem64, end = PCI_MEM64_END;
	base = align_up(*next, align);
	if (!range_ok(base, bar->size, end)) {
		log_error("%s: no room for BAR %d of %" PRIu64 " bytes", bar->dev->name, bar->index,
			  bar->size);
		return -ENOSPC;
	}
	*next = base + bar->size;
	bar->firmware_base = base;
	bar_program(bar, base);
	return 0;
}

int pci_bars_assign(struct pci_dev *dev)
{
	int err = 0;

	for (int i = 0; i < PCI_BARS && !err; i++)
		if (dev->bar[i].kind != PCI_BAR_NONE)
			err = bar_assign(dev->core, &dev->bar[i]);
	return err;
}

static void doorbell_set(struct pci_dev *dev, struct pci_doorbell *d, const struct pci_bar *bar)
{
	if (d->active) {
		vm_ioeventfd(dev->vm, &d->io, false);
		d->active = false;
	}
	if (!bar->mapped)
		return;
	d->io.addr = bar->base + d->off;
	/* KVM refuses it when a guest has laid two BARs over each other; the write then reaches bar_write. */
	d->active = !vm_ioeventfd(dev->vm, &d->io, true);
}

static void backing_set(struct pci_dev *dev, struct pci_backing *b, const struct pci_bar *bar)
{
	if (b->slot >= 0)
		vm_memslot_del(dev->vm, b->slot);
	b->slot = -1;
	/* It is refused where it would lie over RAM or another BAR; accesses then reach bar_read and
	 * bar_write. */
	if (bar->mapped)
		b->slot = vm_memslot_add(dev->vm, bar->base + b->off, b->len, b->hva);
}

static void name_set(struct pci_reg_name *r, const struct pci_bar *bar)
{
	r->region->base = bar->base + r->off;
	r->region->len = bar->mapped * r->len;
}

/* Doorbells, backings and names follow the BAR. */
static void bar_moved(struct pci_bar *bar)
{
	struct pci_dev *dev = bar->dev;

	bar->region->base = bar->base;
	bar->region->len = bar->mapped * bar->size;
	for (struct pci_doorbell *d = dev->doorbells; d; d = d->next)
		if (d->bar == bar->index)
			doorbell_set(dev, d, bar);
	for (struct pci_backing *b = dev->backings; b; b = b->next)
		if (b->bar == bar->index)
			backing_set(dev, b, bar);
	for (struct pci_reg_name *r = dev->reg_names; r; r = r->next)
		if (r->bar == bar->index)
			name_set(r, bar);
	if (dev->ops->bar_moved)
		dev->ops->bar_moved(dev, bar->index, bar->mapped * bar->base);
}

static void bar_set(struct pci_bar *bar, bool decode)
{
	uint64_t base = bar_programmed(bar);
	bool pio = bar->kind == PCI_BAR_IO;

	/* Address 0 means not assigned; a BAR over the end of its space answers nothing. */
	if (!base || !range_ok(base, bar->size, pio ? 0x10000 : UINT64_MAX))
		decode = false;
	if (decode == bar->mapped && (!decode || base == bar->base))
		return;
	if (bar->mapped)
		vm_unmap(bar->dev->vm, pio, bar->base, bar);
	bar->base = base;
	bar->mapped = decode && !vm_map(bar->dev->vm, pio, base, bar->size, &bar_bus_ops, bar);
	bar_moved(bar);
}

void pci_bars_update(struct pci_dev *dev)
{
	uint16_t command = cfg_get16(dev->cfg + PCI_COMMAND);

	for (int i = 0; i < PCI_BARS; i++) {
		struct pci_bar *bar = &dev->bar[i];

		if (bar->kind == PCI_BAR_IO)
			bar_set(bar, command & PCI_COMMAND_IO);
		else if (bar->kind != PCI_BAR_NONE)
			bar_set(bar, command & PCI_COMMAND_MEMORY);
	}
}

void pci_bars_unmap(struct pci_dev *dev)
{
	for (int i = 0; i < PCI_BARS; i++)
		if (dev->bar[i].kind != PCI_BAR_NONE)
			bar_set(&dev->bar[i], false);
}

static void free_list(void *head)
{
	/* The link is the first member of all three kinds. */
	while (head) {
		void *next = *(void **)head;

		free(head);
		head = next;
	}
}

void pci_bars_free(struct pci_dev *dev)
{
	free_list(dev->doorbells);
	free_list(dev->backings);
	free_list(dev->reg_names);
}

static bool same_doorbell(const struct pci_doorbell *a, const struct pci_doorbell *b)
{
	return a->bar == b->bar && a->off == b->off && a->io.len == b->io.len &&
	       a->io.match == b->io.match && a->io.value == b->io.value && a->io.fd == b->io.fd;
}

static int doorbell_del(struct pci_dev *dev, const struct pci_doorbell *want)
{
	for (struct pci_doorbell **at = &dev->doorbells; *at; at = &(*at)->next) {
		struct pci_doorbell *d = *at;

		if (!same_doorbell(d, want))
			continue;
		if (d->active)
			vm_ioeventfd(dev->vm, &d->io, false);
		*at = d->next;
		free(d);
		return 0;
	}
	return -ENOENT;
}

int pci_ioeventfd(struct pci_dev *dev, int bar, uint64_t off, unsigned len, bool match,
		  uint64_t value, int fd, bool add)
{
	struct pci_doorbell want = {
		.bar = bar,
		.off = off,
		.io = {.pio = dev->bar[bar].kind == PCI_BAR_IO,
		       .len = len,
		       .match = match,
		       .value = value,
		       .fd = fd},
	};
	struct pci_doorbell *d;

	if (!range_ok(off, len, dev->bar[bar].size))
		return -EINVAL;
	if (!add)
		return doorbell_del(dev, &want);
	d = malloc(sizeof(*d));
	if (!d)
		return -ENOMEM;
	*d = want;
	d->next = dev->doorbells;
	dev->doorbells = d;
	doorbell_set(dev, d, &dev->bar[bar]);
	return 0;
}

int pci_bar_back(struct pci_dev *dev, int bar, uint64_t off, uint64_t len, void *hva)
{
	struct pci_backing *b;

	if (!len || !range_ok(off, len, dev->bar[bar].size) || (off | len) & 4095)
		return -EINVAL;
	b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	*b = (struct pci_backing){dev->backings, bar, off, len, hva, -1};
	dev->backings = b;
	backing_set(dev, b, &dev->bar[bar]);
	return 0;
}

void pci_name_reg(struct pci_dev *dev, int bar, uint64_t off, uint64_t len, const char *name)
{
	struct pci_reg_name *r = calloc(1, sizeof(*r));
	char full[STATS_NAME];

	if (!r)
		return;
	snprintf(full, sizeof(full), "%s %s", dev->name, name);
	*r = (struct pci_reg_name){dev->reg_names, bar, off, len, NULL};
	r->region = vm_stats_region(dev->vm, full, dev->bar[bar].kind == PCI_BAR_IO, 0, 0);
	dev->reg_names = r;
	name_set(r, &dev->bar[bar]);
}
