// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/devices.h"
#include "vmm/devices/testdev.h"

struct testdev {
	uint32_t scratch, missed;
	int doorbell;
};

static int testdev_init(struct pci_dev *dev, const struct dev_opts *opts)
{
	struct testdev *t = calloc(1, sizeof(*t));
	int err;

	(void)opts;
	if (!t)
		return -ENOMEM;
	dev->priv = t;
	t->doorbell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (t->doorbell < 0) {
		log_error("%s: eventfd: no file descriptor left", dev->name);
		return -EMFILE;
	}
	pci_set_id(dev, TESTDEV_VENDOR, TESTDEV_DEVICE, 0, 0, 0xff000000);
	err = pci_add_bar(dev, 0, PCI_BAR_MEM32, TESTDEV_BAR_SIZE);
	if (!err)
		err = pci_add_msix(dev, 1, TESTDEV_VECTORS);
	if (!err)
		err = pci_ioeventfd(dev, 0, TESTDEV_DOORBELL, 4, false, 0, t->doorbell, true);
	if (err)
		return err;
	pci_name_reg(dev, 0, TESTDEV_SCRATCH, 4, "scratch");
	pci_name_reg(dev, 0, TESTDEV_MSI, 4, "msi");
	pci_name_reg(dev, 0, TESTDEV_DOORBELL, 4, "doorbell");
	return 0;
}

static uint32_t take_rings(struct testdev *t)
{
	uint64_t n;

	return read(t->doorbell, &n, sizeof(n)) == sizeof(n) ? (uint32_t)n : 0;
}

static uint64_t testdev_read(struct pci_dev *dev, int bar, uint64_t off, unsigned len)
{
	struct testdev *t = dev->priv;

	(void)bar;
	if (len != 4)
		return UINT64_MAX;
	switch (off) {
	case TESTDEV_ID:
		return TESTDEV_MAGIC;
	case TESTDEV_SCRATCH:
		return t->scratch;
	case TESTDEV_RINGS:
		return take_rings(t);
	case TESTDEV_MISSED:
		return t->missed;
	}
	return 0;
}

static void testdev_write(struct pci_dev *dev, int bar, uint64_t off, unsigned len, uint64_t val)
{
	struct testdev *t = dev->priv;

	(void)bar;
	if (len != 4)
		return;
	if (off == TESTDEV_SCRATCH)
		t->scratch = (uint32_t)val;
	else if (off == TESTDEV_MSI && val < TESTDEV_VECTORS)
		pci_irq_msg(dev, (unsigned)val);
	else if (off == TESTDEV_DOORBELL)
		t->missed++;
}

static void testdev_reset(struct pci_dev *dev)
{
	struct testdev *t = dev->priv;

	t->scratch = t->missed = 0;
	take_rings(t);
}

static void testdev_exit(struct pci_dev *dev)
{
	struct testdev *t = dev->priv;

	if (!t)
		return;
	if (t->doorbell >= 0)
		pci_ioeventfd(dev, 0, TESTDEV_DOORBELL, 4, false, 0, t->doorbell, false);
	close_fd(&t->doorbell);
	free(t);
	dev->priv = NULL;
}

const struct pci_ops testdev_ops = {
	.name = "exitlab-testdev",
	.init = testdev_init,
	.bar_read = testdev_read,
	.bar_write = testdev_write,
	.reset = testdev_reset,
	.exit = testdev_exit,
};
