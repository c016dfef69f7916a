// SPDX-License-Identifier: MIT
/* How a PCI device looks, one that remembers a word: to be copied. Compiled, and in no table. */
#include <errno.h>
#include <stdlib.h>

#include "vmm/devices.h"

#define SKELETON_VENDOR 0x1b36
#define SKELETON_DEVICE 0x00ff
#define SKELETON_WORD   0x0

struct skeleton {
	uint32_t word;
};

static int skeleton_init(struct pci_dev *dev, const struct dev_opts *opts)
{
	int err;

	(void)opts;
	dev->priv = calloc(1, sizeof(struct skeleton));
	if (!dev->priv)
		return -ENOMEM;
	pci_set_id(dev, SKELETON_VENDOR, SKELETON_DEVICE, 0, 0, 0xff000000);
	err = pci_add_bar(dev, 0, PCI_BAR_MEM32, 0x1000);
	if (!err)
		pci_name_reg(dev, 0, SKELETON_WORD, 4, "word"); /* exits show as "skeleton word" */
	return err;
}

/* The core has checked bounds, width and alignment; what is not a register reads as 0. */
static uint64_t skeleton_read(struct pci_dev *dev, int bar, uint64_t off, unsigned len)
{
	const struct skeleton *s = dev->priv;

	(void)bar;
	return off == SKELETON_WORD && len == 4 ? s->word : 0;
}

static void skeleton_write(struct pci_dev *dev, int bar, uint64_t off, unsigned len, uint64_t val)
{
	struct skeleton *s = dev->priv;

	(void)bar;
	if (off == SKELETON_WORD && len == 4)
		s->word = (uint32_t)val;
}

static void skeleton_reset(struct pci_dev *dev)
{
	struct skeleton *s = dev->priv;

	s->word = 0;
}

static void skeleton_exit(struct pci_dev *dev)
{
	free(dev->priv);
	dev->priv = NULL;
}

const struct pci_ops skeleton_ops = {
	.name = "skeleton",
	.init = skeleton_init,
	.bar_read = skeleton_read,
	.bar_write = skeleton_write,
	.reset = skeleton_reset,
	.exit = skeleton_exit,
};
