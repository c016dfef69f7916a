// SPDX-License-Identifier: MIT
/* One assigned PCI device: its BARs, capabilities, resets, and the accesses that are not mapped. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/devices.h"
#include "vmm/pci/regs.h"
#include "vmm/devices/vfio/vfio.h"

#define PAGE 4096ull

static uint32_t cfg_get(const struct vfio_device *d, unsigned off, unsigned len)
{
	uint32_t v = 0;

	if (pread(d->fd, &v, len, (off_t)(d->config_offset + off)) != (ssize_t)len)
		return len == 4 ? UINT32_MAX : (1u << (8 * len)) - 1;
	return v;
}

static void cfg_put(const struct vfio_device *d, unsigned off, unsigned len, uint32_t v)
{
	if (pwrite(d->fd, &v, len, (off_t)(d->config_offset + off)) != (ssize_t)len)
		log_guest("%s: config write at %x failed", d->addr, off);
}

struct device_call {
	struct vfio_device *d;
	unsigned long request;
	void *arg;
	int err;
};

static void device_call(void *arg)
{
	struct device_call *c = arg;

	c->err = errno_if(ioctl(c->d->fd, c->request, c->arg));
}

int vfio_ioctl(struct vfio_device *d, unsigned long request, void *arg)
{
	struct device_call c = {d, request, arg, 0};

	vm_control(d->pci->vm, device_call, &c);
	return c.err;
}

/*
 * Offset of a capability, 0 when the device has none. The list is walked at most as often as it could have
 * entries.
 */
static unsigned find_cap(const struct vfio_device *d, uint8_t id)
{
	unsigned at = cfg_get(d, PCI_CAPABILITY_LIST, 1) & ~3u;

	for (int i = 0; i < 48 && at >= 0x40; i++) {
		if (cfg_get(d, at, 1) == id)
			return at;
		at = cfg_get(d, at + 1, 1) & ~3u;
	}
	return 0;
}

/* ---- regions ---- */

static int region_info(const struct vfio_device *d, unsigned index, struct vfio_region_info *info)
{
	*info = (struct vfio_region_info){.argsz = sizeof(*info), .index = index};
	return errno_if(ioctl(d->fd, VFIO_DEVICE_GET_REGION_INFO, info));
}

static enum pci_bar_kind bar_kind(uint32_t reg)
{
	if (reg & PCI_BASE_ADDRESS_SPACE_IO)
		return PCI_BAR_IO;
	return reg & PCI_BASE_ADDRESS_MEM_TYPE_64 ? PCI_BAR_MEM64 : PCI_BAR_MEM32;
}

static int add_bars(struct vfio_device *d)
{
	for (int i = 0; i < PCI_BARS; i++) {
		uint32_t reg = cfg_get(d, PCI_BASE_ADDRESS_0 + 4 * (unsigned)i, 4);
		enum pci_bar_kind kind = bar_kind(reg);
		struct vfio_region_info info;
		int err;

		if (region_info(d, (unsigned)i, &info) || !info.size)
			continue;
		d->bar[i] = (struct vfio_bar){.size = info.size, .offset = info.offset,
					      .mappable = info.flags & VFIO_REGION_INFO_FLAG_MMAP};
		/* Slots are whole pages; a smaller BAR is trapped. */
		err = pci_add_bar(d->pci, i, kind, MAX(info.size, kind == PCI_BAR_IO ? 4 : 16));
		if (err) {
			log_error("%s: BAR %d (%llu bytes): %s", d->addr, i, (unsigned long long)info.size,
				  strerror(-err));
			return err;
		}
		i += kind == PCI_BAR_MEM64;
	}
	return 0;
}

static int back_part(struct vfio_device *d, int bar, int part, uint64_t off, uint64_t len)
{
	struct vfio_bar *b = &d->bar[bar];
	void *p;

	if (!len)
		return 0;
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, d->fd, (off_t)(b->offset + off));
	if (p == MAP_FAILED) {
		log_error("%s: BAR %d cannot be mapped: %s", d->addr, bar, strerror(errno));
		return -errno;
	}
	b->map[part] = p;
	b->map_len[part] = len;
	return pci_bar_back(d->pci, bar, off, len, p);
}

/* All of a BAR, less the pages from hole to hole_end, which the VMM answers. */
static int back_around(struct vfio_device *d, int bar, uint64_t hole, uint64_t hole_end)
{
	struct vfio_bar *b = &d->bar[bar];
	int err;

	if (!b->mappable || b->size < PAGE)
		return 0;
	hole = align_down(hole, PAGE);
	hole_end = MIN(align_up(hole_end, PAGE), b->size);
	err = back_part(d, bar, 0, 0, hole);
	if (err)
		return err;
	return back_part(d, bar, 1, hole_end, b->size - hole_end);
}

static int back_bars(struct vfio_device *d, int table_bar, uint64_t table, uint64_t table_len)
{
	int err = 0;

	for (int i = 0; i < PCI_BARS && !err; i++) {
		uint64_t size = d->bar[i].size;

		if (i == table_bar)
			err = back_around(d, i, table, table + table_len);
		else if (size)
			err = back_around(d, i, size, size);
	}
	return err;
}

/* ---- identity and capabilities ---- */

static void set_identity(struct vfio_device *d)
{
	pci_set_id(d->pci, (uint16_t)cfg_get(d, PCI_VENDOR_ID, 2), (uint16_t)cfg_get(d, PCI_DEVICE_ID, 2),
		   (uint16_t)cfg_get(d, PCI_SUBSYSTEM_VENDOR_ID, 2),
		   (uint16_t)cfg_get(d, PCI_SUBSYSTEM_ID, 2), cfg_get(d, PCI_CLASS_REVISION, 4));
}

static int add_express(struct vfio_device *d)
{
	unsigned at = find_cap(d, PCI_CAP_ID_EXP);
	uint8_t body[0x3a];
	int err;

	if (!at)
		return 0;
	for (unsigned i = 0; i < sizeof(body); i++)
		body[i] = (uint8_t)cfg_get(d, at + 2 + i, 1);
	body[0] = (uint8_t)((body[0] & 0x0f) | PCI_EXP_TYPE_RC_END << 4);
	err = pci_add_cap(d->pci, PCI_CAP_ID_EXP, body, sizeof(body));
	return err < 0 ? err : 0;
}

/* where: BAR index in the low three bits, offset in the others. */
static bool in_bar(const struct vfio_device *d, uint32_t where, uint64_t len)
{
	return (where & 7) < PCI_BARS && range_ok(where & ~7u, len, d->bar[where & 7].size);
}

/* Returns the number of vectors; the table's place in *bar, *off, *len, untouched when there is none. */
static int add_msix(struct vfio_device *d, int *bar, uint64_t *off, uint64_t *len)
{
	unsigned at = find_cap(d, PCI_CAP_ID_MSIX), n;
	uint32_t table, pba;
	int err;

	if (!at)
		return 0;
	n = (cfg_get(d, at + PCI_MSIX_FLAGS, 2) & PCI_MSIX_FLAGS_QSIZE) + 1;
	table = cfg_get(d, at + PCI_MSIX_TABLE, 4);
	pba = cfg_get(d, at + PCI_MSIX_PBA, 4);
	*bar = (int)(table & 7);
	*off = table & ~7u;
	*len = n * PCI_MSIX_ENTRY_SIZE;
	if (!in_bar(d, table, *len) || !in_bar(d, pba, (n + 63) / 64 * 8)) {
		log_error("%s: its MSI-X table lies outside its BARs; not supported", d->addr);
		return -ENOTSUP;
	}
	err = pci_add_msix_at(d->pci, *bar, *off, (int)(pba & 7), pba & ~7u, n);
	return err < 0 ? err : (int)n;
}

/* ---- pci_ops ---- */

static void set_command(struct vfio_device *d, uint16_t bits)
{
	d->command = (uint16_t)(bits | PCI_COMMAND_MEMORY | PCI_COMMAND_IO);
	cfg_put(d, PCI_COMMAND, 2, d->command);
}

static int attach_device(struct vfio_device *d)
{
	struct vfio_device_info info = {.argsz = sizeof(info)};
	struct vfio_region_info config;
	uint64_t table = 0, table_len = 0;
	int err, vectors, bar = -1;
	bool msi, pin;

	if (ioctl(d->fd, VFIO_DEVICE_GET_INFO, &info) || !(info.flags & VFIO_DEVICE_FLAGS_PCI) ||
	    region_info(d, VFIO_PCI_CONFIG_REGION_INDEX, &config)) {
		log_error("--vfio %s: not a PCI device to VFIO", d->addr);
		return -ENODEV;
	}
	d->config_offset = config.offset;
	d->can_reset = info.flags & VFIO_DEVICE_FLAGS_RESET;
	set_identity(d);
	err = add_bars(d);
	if (!err)
		err = add_express(d);
	if (err)
		return err;
	vectors = add_msix(d, &bar, &table, &table_len);
	if (vectors < 0)
		return vectors;
	err = back_bars(d, bar, table, table_len);
	msi = !vectors && find_cap(d, PCI_CAP_ID_MSI);
	if (!err && msi)
		err = pci_add_msi(d->pci, 1);
	pin = cfg_get(d, PCI_INTERRUPT_PIN, 1) != 0;
	if (!err && pin)
		pci_add_intx(d->pci);
	/*
	 * The device itself decodes for as long as we have it; the guest switches its own view, which the PCI
	 * core keeps.
	 */
	cfg_put(d, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_IO);
	if (!err)
		err = vfio_irq_init(d, (unsigned)vectors, msi, pin);
	if (err)
		return err;
	return vfio_notify_init(d);
}

static int vfio_init(struct pci_dev *dev, const struct dev_opts *o)
{
	struct vfio_device *d = calloc(1, sizeof(*d));
	const char *addr = dev_opts_str(o, "host", NULL);
	unsigned dom, bus, slot, fn;
	bool unsafe = false;
	char end;
	int err;

	if (!d)
		return -ENOMEM;
	dev->priv = d;
	d->pci = dev;
	d->faults = (struct iommu_watch)IOMMU_WATCH_INIT;
	d->fd = d->intx_fd = d->unmask_fd = d->err_fd = d->req_fd = -1;
	if (!addr || sscanf(addr, "%4x:%2x:%2x.%1x%c", &dom, &bus, &slot, &fn, &end) != 4) {
		log_error("--vfio %s: expected an address like 0000:01:10.0; see lspci -D", addr ? addr : "");
		return -EINVAL;
	}
	snprintf(d->addr, sizeof(d->addr), "%04x:%02x:%02x.%x", dom & 0xffff, bus & 0xff,
		 slot & 0x1f, fn & 7);
	err = dev_opts_bool(o, "unsafe_interrupts", &unsafe);
	if (!err)
		err = vfio_open(d, dev->vm, unsafe);
	if (err)
		return err;
	return attach_device(d);
}

static uint64_t vfio_bar_read(struct pci_dev *dev, int bar, uint64_t off, unsigned len)
{
	const struct vfio_device *d = dev->priv;
	uint64_t v = 0;

	if (pread(d->fd, &v, len, (off_t)(d->bar[bar].offset + off)) != (ssize_t)len)
		return UINT64_MAX;
	return v;
}

static void vfio_bar_write(struct pci_dev *dev, int bar, uint64_t off, unsigned len, uint64_t val)
{
	const struct vfio_device *d = dev->priv;

	if (pwrite(d->fd, &val, len, (off_t)(d->bar[bar].offset + off)) != (ssize_t)len)
		log_guest("%s: BAR %d: write at %llx failed", d->addr, bar, (unsigned long long)off);
}

/* The core has taken a write to COMMAND or to an interrupt capability. Bus mastering and INTx masking are the
 * device's to know; the rest of COMMAND is the core's affair. */
static void vfio_irq_changed(struct pci_dev *dev, int vector)
{
	struct vfio_device *d = dev->priv;
	uint16_t bits = cfg_get16(dev->cfg + PCI_COMMAND) & (PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);

	if (vector >= 0)
		return;
	if ((bits | PCI_COMMAND_MEMORY | PCI_COMMAND_IO) != d->command)
		set_command(d, bits);
	vfio_irq_update(d);
}

static void vfio_reset(struct pci_dev *dev)
{
	struct vfio_device *d = dev->priv;
	int err = 0;

	vfio_irq_off(d); /* the core forgets what was on; the guest switches on anew */
	set_command(d, 0);
	if (d->can_reset)
		err = vfio_ioctl(d, VFIO_DEVICE_RESET, NULL);
	if (err)
		log_warn("%s: reset: %s", d->addr, strerror(-err));
	set_command(d, 0);
}

static void vfio_exit(struct pci_dev *dev)
{
	struct vfio_device *d = dev->priv;

	if (!d)
		return;
	vfio_irq_exit(d);
	for (int i = 0; i < PCI_BARS; i++)
		for (int k = 0; k < 2; k++)
			if (d->bar[i].map[k])
				munmap(d->bar[i].map[k], d->bar[i].map_len[k]);
	vfio_close(d);
	free(d);
	dev->priv = NULL;
}

const struct pci_ops vfio_ops = {
	.name = "vfio",
	.init = vfio_init,
	.bar_read = vfio_bar_read,
	.bar_write = vfio_bar_write,
	.reset = vfio_reset,
	.exit = vfio_exit,
	.irq_changed = vfio_irq_changed,
};
