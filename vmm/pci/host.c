// SPDX-License-Identifier: MIT
/* The host bridge, and the two ways into configuration space: ECAM (PCIe 3.0, 7.2.2) and the ports
 * CF8/CFC (PCI 3.0, 3.2.2.3.2). A reset through CF9 shares the index port's range. */
#include "vmm/core/bus.h"
#include "vmm/core/machine.h"
#include "vmm/pci/core.h"
#include "vmm/pci/regs.h"

#define CF8_PORT    0xcf8
#define CF8_ENABLE  0x80000000u
#define CF9_OFF     1
#define CF9_SYS_RST 0x06 /* hard reset, on the write that sets it */

static struct pci_dev *dev_at(const struct pci_core *core, unsigned bus, unsigned devfn)
{
	if (bus || devfn & 7)
		return NULL;
	return core->dev[devfn >> 3];
}

static uint64_t ecam_read(void *arg, uint64_t off, unsigned len)
{
	struct pci_dev *dev = dev_at(arg, (unsigned)(off >> 20), off >> 12 & 0xff);

	if (!dev || len > 4)
		return bus_ones(len);
	return pci_cfg_read(dev, off & 0xfff, len);
}

static void ecam_write(void *arg, uint64_t off, unsigned len, uint64_t val)
{
	struct pci_dev *dev = dev_at(arg, (unsigned)(off >> 20), off >> 12 & 0xff);

	if (dev && len <= 4)
		pci_cfg_write(dev, off & 0xfff, len, (uint32_t)val);
}

static const struct bus_ops ecam_ops = {"PCI ECAM", ecam_read, ecam_write};

/* The device and register that CF8 points at; NULL when there is none. */
static struct pci_dev *cfc_target(const struct pci_core *core, uint64_t off, unsigned *reg)
{
	uint32_t cf8 = __atomic_load_n(&core->cf8, __ATOMIC_RELAXED);

	*reg = (cf8 & 0xfc) | (off & 3);
	if (!(cf8 & CF8_ENABLE))
		return NULL;
	return dev_at(core, cf8 >> 16 & 0xff, cf8 >> 8 & 0xff);
}

static uint64_t cf8_read(void *arg, uint64_t off, unsigned len)
{
	struct pci_core *core = arg;
	struct pci_dev *dev = NULL;
	unsigned reg;

	if (off == 0 && len == 4)
		return __atomic_load_n(&core->cf8, __ATOMIC_RELAXED);
	if (off == CF9_OFF && len == 1)
		return 0;
	if (off >= 4)
		dev = cfc_target(core, off, &reg);
	if (!dev)
		return bus_ones(len);
	return pci_cfg_read(dev, reg, len);
}

static void cf8_write(void *arg, uint64_t off, unsigned len, uint64_t val)
{
	struct pci_core *core = arg;
	struct pci_dev *dev;
	unsigned reg;

	if (off == 0 && len == 4)
		__atomic_store_n(&core->cf8, (uint32_t)val, __ATOMIC_RELAXED);
	else if (off == CF9_OFF && len == 1 && (val & CF9_SYS_RST) == CF9_SYS_RST)
		vm_end(core->vm, VM_END_RESET, 0);
	else if (off >= 4 && (dev = cfc_target(core, off, &reg)))
		pci_cfg_write(dev, reg, len, (uint32_t)val);
}

static const struct bus_ops cf8_ops = {"PCI CF8", cf8_read, cf8_write};

static int bridge_init(struct pci_dev *dev, const struct dev_opts *opts)
{
	(void)opts;
	/* Red Hat's generic PCIe host bridge: no driver binds to it. */
	pci_set_id(dev, 0x1b36, 0x0008, 0x1af4, 0x1100, 0x06000000);
	return 0;
}

static const struct pci_ops bridge_ops = {.name = "host-bridge", .init = bridge_init};

int pci_host_init(struct pci_core *core)
{
	int err = pci_attach(core, &bridge_ops, NULL, NULL);

	if (!err)
		err = vm_map(core->vm, false, PCI_ECAM_BASE, PCI_ECAM_SIZE, &ecam_ops, core);
	if (!err)
		err = vm_map(core->vm, true, CF8_PORT, 8, &cf8_ops, core);
	vm_stats_region(core->vm, "PCI ECAM", false, PCI_ECAM_BASE, PCI_ECAM_SIZE);
	vm_stats_region(core->vm, "PCI CF8/CFC", true, CF8_PORT, 8);
	return err;
}
