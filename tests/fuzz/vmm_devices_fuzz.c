// SPDX-License-Identifier: MIT
/*
 * libFuzzer: a guest with an e1000, a virtio-net, a virtio-rng and the test device in its slots does what
 * the input says. Records of 8 bytes: what, where (2 bytes), which or how wide, value (4 bytes). Registers
 * of each card, its configuration space, MSI-X tables, ports, and guest memory where the rings are.
 */
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "tests/unit/fake.h"
#include "vmm/devices.h"
#include "vmm/devices/e1000/e1000.h"
#include "vmm/devices/virtio_net/net.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RAM   (4 * MIB)
#define RINGS 0x10000 /* where a record's memory write goes, 64 KiB from here */

struct record {
	uint8_t what, how;
	uint16_t at;
	uint32_t val;
};

/* ---- virtio-net's other half: nothing ---- */

static int sink_open(struct net_backend *be, const struct dev_opts *opts)
{
	(void)opts;
	be->features = NET_BACKEND_FEATURES;
	be->mtu = 1500;
	return 0;
}

static void sink_none(struct net_backend *be)
{
	(void)be;
}

static int sink_start(struct net_backend *be, uint64_t features, unsigned n)
{
	(void)be;
	(void)features;
	(void)n;
	return 0;
}

static int sink_ring_start(struct net_backend *be, unsigned ring)
{
	(void)be;
	(void)ring;
	return 0;
}

static void sink_ring_stop(struct net_backend *be, unsigned ring)
{
	(void)be;
	(void)ring;
}

static int sink_set_offloads(struct net_backend *be, uint64_t f)
{
	(void)be;
	(void)f;
	return 0;
}

static void sink_set_filter(struct net_backend *be, const struct net_filter *f)
{
	(void)be;
	/* Counts that the filter's users trust. */
	if (f->n_uni > ARRAY_SIZE(f->uni) || f->n_multi > ARRAY_SIZE(f->multi))
		abort();
}

static int sink_set_pairs(struct net_backend *be, unsigned pairs)
{
	if (!pairs || pairs > be->pairs)
		abort();
	return 0;
}

static const struct net_backend_ops sink = {
	.name = "sink", .open = sink_open, .close = sink_none, .start = sink_start, .stop = sink_none,
	.ring_start = sink_ring_start, .ring_stop = sink_ring_stop, .set_offloads = sink_set_offloads,
	.set_filter = sink_set_filter, .set_pairs = sink_set_pairs,
};

/* ---- the machine ---- */

static struct vm *vm;
static struct pci_dev *dev[4];

static void set_up(void)
{
	struct e1000 *e;

	if (vm)
		return;
	log_init("fuzz", LOG_ERROR);
	vnet_backends[3] = &sink;
	vm = fake_vm_create(RAM);
	dev[0] = fake_attach(vm, &e1000_ops, "io=vcpu,coalesce=off");
	dev[1] = fake_attach(vm, &virtio_net_ops, "mode=sink,queues=2,ring=packed");
	dev[2] = fake_attach(vm, &virtio_rng_ops, "");
	dev[3] = fake_attach(vm, &testdev_ops, "");
	if (!dev[0] || !dev[1] || !dev[2] || !dev[3])
		abort();
	/* A TAP that takes everything and always has a frame of the longest kind. */
	e = dev[0]->priv;
	e->tap.fd[0] = open("/dev/zero", O_RDWR | O_CLOEXEC);
	e->tap.n = 1;
}

static void access_bar(const struct record *r, bool write)
{
	struct pci_dev *d = dev[r->how & 3];
	int bar = (r->how >> 2) % PCI_BARS;
	unsigned len = 1u << (r->what >> 4 & 3);
	uint64_t addr = d->bar[bar].base + r->at % MAX(d->bar[bar].size + 8, 1ull);
	struct bus *bus = d->bar[bar].kind == PCI_BAR_IO ? &vm->pio : &vm->mmio;

	if (write)
		bus_write(bus, addr, len, len == 8 ? r->val * 0x100000001ull : r->val);
	else
		bus_read(bus, addr, len);
}

static void access_config(const struct record *r, bool write)
{
	struct pci_dev *d = dev[r->how & 3];

	if (write)
		pci_cfg_write(d, r->at & 0xfff, 1u << (r->what >> 4 & 3), r->val);
	else
		pci_cfg_read(d, r->at & 0xfff, 1u << (r->what >> 4 & 3));
}

static void serve(const struct record *r)
{
	switch (r->what & 7) {
	case 0:
	case 1:
		access_bar(r, r->what & 1);
		break;
	case 2:
	case 3:
		access_config(r, r->what & 1);
		break;
	case 4:
		bus_write(&vm->pio, r->at % 0xd00, 1u << (r->what >> 4) % 3, r->val);
		break;
	case 5:
		bus_read(&vm->pio, r->at, 1u << (r->what >> 4) % 3);
		break;
	case 6:
		gmem_write(vm_gmem(vm), RINGS + r->at, &r->val, 4);
		break;
	case 7:
		if (e1000_get(dev[0]->priv, RCTL) & RCTL_EN)
			e1000_rx_readable(dev[0]->priv, 0);
		break;
	}
}

static void reset(void)
{
	vm_clear_end(vm);
	pci_reset_all(vm->pci);
	for (unsigned i = 0; i < ARRAY_SIZE(dev); i++)
		pci_cfg_write(dev[i], PCI_COMMAND, 2,
			      PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	memset(gmem_ptr(vm_gmem(vm), RINGS, 0x10000), 0, 0x10000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record r;

	set_up();
	reset();
	for (; size >= sizeof(r); data += sizeof(r), size -= sizeof(r)) {
		memcpy(&r, data, sizeof(r));
		serve(&r);
	}
	return 0;
}
