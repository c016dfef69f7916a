// SPDX-License-Identifier: MIT
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/seed.h"
#include "tests/unit/fake.h"
#include "tests/unit/held_fd.h"
#include "vmm/pci/regs.h"

#define VECTORS 4

/* BAR0 mem32 4 KiB, BAR1 I/O 64, BAR2/3 mem64 8 KiB, BAR4 MSI-X; MSI with 4 vectors; INTx. */
struct toy {
	unsigned reads, writes, resets, irq_changes;
	int bar, vector;
	uint64_t off, val, moved_to;
	unsigned len;
};

static int toy_init(struct pci_dev *dev, const struct dev_opts *opts)
{
	uint64_t fail = 0;

	dev->priv = calloc(1, sizeof(struct toy));
	if (dev_opts_u64(opts, "fail", &fail, 0, 1) || fail)
		return -EINVAL;
	pci_set_id(dev, 0x1234, 0x5678, 0x1111, 0x2222, 0x02000003);
	pci_add_intx(dev);
	assert_int_equal(pci_add_bar(dev, 0, PCI_BAR_MEM32, 4096), 0);
	assert_int_equal(pci_add_bar(dev, 1, PCI_BAR_IO, 64), 0);
	assert_int_equal(pci_add_bar(dev, 2, PCI_BAR_MEM64, 8192), 0);
	assert_int_equal(pci_add_msix(dev, 4, VECTORS), 0);
	assert_int_equal(pci_add_msi(dev, 4), 0);
	pci_name_reg(dev, 0, 0x100, 4, "TDT");
	return 0;
}

static uint64_t toy_read(struct pci_dev *dev, int bar, uint64_t off, unsigned len)
{
	struct toy *t = dev->priv;

	t->reads++;
	t->bar = bar;
	t->off = off;
	t->len = len;
	return 0x1122334455667788;
}

static void toy_write(struct pci_dev *dev, int bar, uint64_t off, unsigned len, uint64_t val)
{
	struct toy *t = dev->priv;

	t->writes++;
	t->bar = bar;
	t->off = off;
	t->len = len;
	t->val = val;
}

static void toy_reset(struct pci_dev *dev)
{
	((struct toy *)dev->priv)->resets++;
}

static void toy_exit(struct pci_dev *dev)
{
	free(dev->priv);
}

static void toy_irq_changed(struct pci_dev *dev, int vector)
{
	struct toy *t = dev->priv;

	t->irq_changes++;
	t->vector = vector;
}

static void toy_moved(struct pci_dev *dev, int bar, uint64_t base)
{
	if (bar == 0)
		((struct toy *)dev->priv)->moved_to = base;
}

static const struct pci_ops toy_ops = {
	.name = "toy",
	.init = toy_init,
	.bar_read = toy_read,
	.bar_write = toy_write,
	.reset = toy_reset,
	.exit = toy_exit,
	.irq_changed = toy_irq_changed,
	.bar_moved = toy_moved,
};

static struct vm *vm;
static struct pci_dev *dev;
static struct toy *toy;

static int setup(void **state)
{
	(void)state;
	vm = fake_vm_create(16 * MIB);
	assert_non_null(vm);
	dev = fake_attach(vm, &toy_ops, "");
	assert_non_null(dev);
	toy = dev->priv;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_vm_destroy(vm);
	return 0;
}

static void ids_and_names(void **state)
{
	struct pci_dev *second = fake_attach(vm, &toy_ops, "");

	(void)state;
	assert_int_equal(pci_cfg_read(dev, PCI_VENDOR_ID, 4), 0x56781234);
	assert_int_equal(pci_cfg_read(dev, PCI_CLASS_REVISION, 4), 0x02000003);
	assert_int_equal(pci_cfg_read(dev, PCI_SUBSYSTEM_VENDOR_ID, 4), 0x22221111);
	pci_cfg_write(dev, PCI_VENDOR_ID, 4, 0);
	assert_int_equal(pci_cfg_read(dev, PCI_VENDOR_ID, 4), 0x56781234);
	assert_string_equal(dev->name, "toy0");
	assert_string_equal(second->name, "toy1");
	assert_null(fake_attach(vm, &toy_ops, "fail=1"));
	assert_null(fake_attach(vm, &toy_ops, "nonsense=1"));
}

/* Every offset x every width: aligned ones reach the device inside its BAR, nothing else does. */
static void every_access(void **state)
{
	static const unsigned widths[] = {1, 2, 4, 8};

	(void)state;
	for (int bar = 0; bar < 3; bar++) {
		for (size_t w = 0; w < ARRAY_SIZE(widths); w++) {
			unsigned len = widths[w];

			for (uint64_t off = 0; off < dev->bar[bar].size; off++) {
				bool good = off % len == 0;
				unsigned reads = toy->reads, writes = toy->writes;
				uint64_t v = fake_read(dev, bar, off, len);

				assert_int_equal(toy->reads - reads, good);
				assert_true(v == (good ? 0x1122334455667788 & bus_ones(len)
						       : bus_ones(len)));
				fake_write(dev, bar, off, len, UINT64_MAX);
				assert_int_equal(toy->writes - writes, good);
				if (!good)
					continue;
				assert_int_equal(toy->bar, bar);
				assert_int_equal(toy->off, off);
				assert_int_equal(toy->len, len);
				assert_true(toy->val == bus_ones(len));
			}
		}
	}
}

static void every_config_access(void **state)
{
	(void)state;
	for (unsigned len = 0; len <= 9; len++) {
		for (unsigned off = 0; off <= PCI_CFG_SIZE + 8; off++) {
			bool good = (len == 1 || len == 2 || len == 4) && off % len == 0 &&
				    off + len <= PCI_CFG_SIZE;
			uint32_t v = pci_cfg_read(dev, off, len);

			if (!good)
				assert_int_equal(v, (uint32_t)bus_ones(len));
			pci_cfg_write(dev, off, len, v);
		}
	}
	assert_int_equal(pci_cfg_read(dev, PCI_VENDOR_ID, 4), 0x56781234);
}

static void bar_sizing(void **state)
{
	static const struct {
		unsigned reg;
		uint32_t want;
	} cases[] = {
		{PCI_BASE_ADDRESS_0, 0xfffff000}, {PCI_BASE_ADDRESS_1, 0xffffffc1},
		{PCI_BASE_ADDRESS_2, 0xffffe004}, {PCI_BASE_ADDRESS_3, 0xffffffff},
		{PCI_BASE_ADDRESS_4, 0xfffff000}, {PCI_BASE_ADDRESS_5, 0},
		{PCI_ROM_ADDRESS, 0},
	};

	(void)state;
	pci_cfg_write(dev, PCI_COMMAND, 2, 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t old = pci_cfg_read(dev, cases[i].reg, 4);

		pci_cfg_write(dev, cases[i].reg, 4, 0xffffffff);
		assert_int_equal(pci_cfg_read(dev, cases[i].reg, 4), cases[i].want);
		pci_cfg_write(dev, cases[i].reg, 4, old);
		assert_int_equal(pci_cfg_read(dev, cases[i].reg, 4), old);
	}
}

static void bar_moves(void **state)
{
	int efd = eventfd(0, 0);

	(void)state;
	assert_int_equal(pci_ioeventfd(dev, 0, 0x40, 4, true, 7, efd, true), 0);
	assert_int_equal(pci_ioeventfd(dev, 0, 0xffe, 4, true, 7, efd, true), -EINVAL);
	assert_int_equal(fake_of(vm)->n_ioeventfd, 1);
	pci_cfg_write(dev, PCI_BASE_ADDRESS_0, 4, 0xd0000000);
	assert_int_equal(toy->moved_to, 0xd0000000);
	assert_int_equal(bus_read(&vm->mmio, 0xd0000104, 4), 0x55667788);
	assert_int_equal(toy->off, 0x104);
	assert_int_equal(fake_of(vm)->n_ioeventfd, 1);
	assert_int_equal(fake_of(vm)->ioeventfd[0].addr, 0xd0000040);
	pci_cfg_write(dev, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
	assert_int_equal(toy->moved_to, 0);
	assert_int_equal(bus_read(&vm->mmio, 0xd0000104, 4), 0xffffffff);
	assert_int_equal(fake_of(vm)->n_ioeventfd, 0);
	pci_cfg_write(dev, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	assert_int_equal(fake_of(vm)->n_ioeventfd, 1);
	assert_int_equal(pci_ioeventfd(dev, 0, 0x40, 4, true, 7, efd, false), 0);
	assert_int_equal(pci_ioeventfd(dev, 0, 0x40, 4, true, 7, efd, false), -ENOENT);
	assert_int_equal(fake_of(vm)->n_ioeventfd, 0);
	close(efd);
}

static void overlapping_bars(void **state)
{
	struct pci_dev *other = fake_attach(vm, &toy_ops, "");
	uint64_t base = dev->bar[0].base;
	struct toy *their = other->priv;

	(void)state;
	pci_cfg_write(other, PCI_BASE_ADDRESS_0, 4, (uint32_t)base);
	bus_write(&vm->mmio, base, 4, 1);
	assert_int_equal(toy->writes, 1);
	assert_int_equal(their->writes, 0);
	pci_cfg_write(dev, PCI_BASE_ADDRESS_0, 4, 0xd0000000);
	bus_write(&vm->mmio, base, 4, 1);
	assert_int_equal(toy->writes, 1);
	assert_int_equal(their->writes, 1);
	/* Onto ourselves: two BARs of one device at one address. */
	pci_cfg_write(dev, PCI_BASE_ADDRESS_2, 4, 0xd0000000);
	pci_cfg_write(dev, PCI_BASE_ADDRESS_3, 4, 0);
	pci_cfg_write(dev, PCI_BASE_ADDRESS_0, 4, 0xd1000000);
	bus_write(&vm->mmio, 0xd0000000, 4, 1);
	assert_int_equal(toy->bar, 2);
}

static void bars_at_the_ends_of_space(void **state)
{
	(void)state;
	pci_cfg_write(dev, PCI_BASE_ADDRESS_2, 4, 0xffffffff);
	pci_cfg_write(dev, PCI_BASE_ADDRESS_3, 4, 0xffffffff);
	pci_cfg_write(dev, PCI_BASE_ADDRESS_0, 4, 0);
	assert_false(dev->bar[0].mapped);
	pci_cfg_write(dev, PCI_BASE_ADDRESS_1, 4, 0xffffffff);
	assert_int_equal(dev->bar[1].base, 0xffc0);
	bus_read(&vm->pio, 0xffff, 1);
	assert_int_equal(toy->off, 63);
}

static void backing_follows_the_bar(void **state)
{
	void *page = aligned_alloc(4096, 4096);
	struct fake *f = fake_of(vm);

	(void)state;
	assert_int_equal(pci_bar_back(dev, 2, 4096, 4096, page), 0);
	assert_int_equal(pci_bar_back(dev, 2, 4096, 8192, page), -EINVAL);
	assert_int_equal(f->slot[0].gpa, dev->bar[2].base + 4096);
	pci_cfg_write(dev, PCI_BASE_ADDRESS_2, 4, 0xd8000000);
	assert_int_equal(f->slot[0].gpa, 0xd8001000);
	assert_ptr_equal(f->slot[0].hva, page);
	pci_cfg_write(dev, PCI_COMMAND, 2, 0);
	assert_int_equal(f->slot[0].size, 0);
	free(page);
}

static void registers_have_names(void **state)
{
	static const struct stats_region missing;
	const struct stats_region *r = &missing;

	(void)state;
	for (unsigned i = 0; i < vm->stats->n_regions; i++)
		if (!strcmp(vm->stats->region[i].name, "toy0 TDT"))
			r = &vm->stats->region[i];
	assert_int_equal(r->base, dev->bar[0].base + 0x100);
	assert_int_equal(r->len, 4);
	pci_cfg_write(dev, PCI_BASE_ADDRESS_0, 4, 0xd0000000);
	assert_int_equal(r->base, 0xd0000100);
	pci_cfg_write(dev, PCI_COMMAND, 2, 0);
	assert_int_equal(r->len, 0);
}

static void msix_masks_and_pending(void **state)
{
	struct fake *f = fake_of(vm);

	(void)state;
	pci_irq_msg(dev, 0);
	assert_int_equal(f->n_msi, 0); /* off: neither sent nor kept */
	fake_msix_on(dev, VECTORS);
	assert_true(pci_msix_enabled(dev));
	assert_int_equal(f->n_msi, 0);
	pci_irq_msg(dev, 2);
	assert_int_equal(f->n_msi, 1);
	assert_int_equal(f->msi[0].addr, 0xfee00000);
	assert_int_equal(f->msi[0].data, 0x4002);
	fake_write(dev, 4, 2 * 16 + 12, 4, 1);
	assert_int_equal(toy->vector, 2);
	pci_irq_msg(dev, 2);
	pci_irq_msg(dev, 2);
	assert_int_equal(f->n_msi, 1);
	assert_int_equal(fake_read(dev, 4, dev->msix_pba, 4), 1 << 2);
	fake_write(dev, 4, 2 * 16 + 12, 4, 0);
	assert_int_equal(f->n_msi, 2);
	assert_int_equal(fake_read(dev, 4, dev->msix_pba, 8), 0);
	/* Function mask, then bus mastering off: kept until both allow it. */
	pci_cfg_write(dev, dev->msix_cap + 2, 2, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	pci_irq_msg(dev, 0);
	pci_cfg_write(dev, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	pci_cfg_write(dev, dev->msix_cap + 2, 2, PCI_MSIX_FLAGS_ENABLE);
	assert_int_equal(f->n_msi, 2);
	pci_cfg_write(dev, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	assert_int_equal(f->n_msi, 3);
	pci_irq_msg(dev, VECTORS);
	pci_irq_msg(dev, UINT32_MAX);
	assert_int_equal(f->n_msi, 3);
}

/* CVE-2020-13754, CVE-2024-26327: accesses around the table and the PBA. */
static void msix_bounds(void **state)
{
	static const unsigned widths[] = {1, 2, 4, 8};

	(void)state;
	fake_msix_on(dev, VECTORS);
	for (size_t w = 0; w < ARRAY_SIZE(widths); w++) {
		for (uint64_t off = 0; off < dev->bar[4].size + 8; off++) {
			fake_read(dev, 4, off, widths[w]);
			fake_write(dev, 4, off, widths[w], UINT64_MAX);
		}
	}
	fake_write(dev, 4, 0, 8, 0x11223344fee00004);
	assert_true(fake_read(dev, 4, 0, 8) == 0x11223344fee00004);
	assert_int_equal(fake_read(dev, 4, 4, 4), 0x11223344);
}

/* Class 19: whoever else holds the vector's irqfd, a reset does not wait for him. */
static void reset_of_an_irqfd_held_by_others(void **state)
{
	int fd;

	(void)state;
	fd = pci_irq_fd(dev, 1);
	held_empty(fd);
	pci_irq_reset(dev);
	held_full(fd);
	pci_irq_reset(dev);
}

static void irqfd_follows_masks(void **state)
{
	struct fake *f = fake_of(vm);
	struct pollfd p = {.events = POLLIN};
	uint64_t one = 1;
	unsigned routes;
	int fd;

	(void)state;
	fd = p.fd = pci_irq_fd(dev, 1);
	assert_true(fd >= 0);
	assert_int_equal(pci_irq_fd(dev, 1), fd);
	assert_int_equal(pci_irq_fd(dev, VECTORS), -EINVAL);
	assert_int_equal(f->n_irqfd, 0);
	fake_msix_on(dev, VECTORS);
	assert_int_equal(f->n_irqfd, 1);
	assert_int_equal(f->irqfd[0].fd, fd);
	assert_int_equal(f->route[f->irqfd[0].gsi].data, 0x4001);
	routes = f->n_route_changes;
	pci_cfg_write(dev, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	fake_write(dev, 4, 16 + 8, 4, 0x4001);
	assert_int_equal(f->n_route_changes, routes); /* nothing changed: KVM is left alone */
	fake_write(dev, 4, 16 + 8, 4, 0x4321);
	assert_int_equal(f->n_irqfd, 1);
	assert_int_equal(f->route[f->irqfd[0].gsi].data, 0x4321);
	fake_write(dev, 4, 16 + 12, 4, 1);
	assert_int_equal(f->n_irqfd, 0);
	assert_int_equal(write(fd, &one, 8), 8);
	assert_int_equal(fake_read(dev, 4, dev->msix_pba, 8), 1 << 1);
	fake_write(dev, 4, 16 + 12, 4, 0);
	assert_int_equal(f->n_irqfd, 1);
	/* KVM polls a new irqfd: what was raised meanwhile is still in the eventfd. */
	assert_int_equal(poll(&p, 1, 0), 1);
	pci_reset_all(vm->pci);
	assert_int_equal(f->n_irqfd, 0);
	assert_int_equal(poll(&p, 1, 0), 0);
}

static void msi_messages(void **state)
{
	struct fake *f = fake_of(vm);
	unsigned cap = dev->msi_cap;

	(void)state;
	assert_int_equal(pci_cfg_read(dev, cap, 1), PCI_CAP_ID_MSI);
	pci_cfg_write(dev, cap + PCI_MSI_ADDRESS_LO, 4, 0xfee01000);
	pci_cfg_write(dev, cap + PCI_MSI_DATA_64, 2, 0x50);
	pci_cfg_write(dev, cap + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_ENABLE | 2 << 4);
	assert_true(pci_msi_enabled(dev));
	pci_irq_msg(dev, 3);
	assert_int_equal(f->msi[0].data, 0x53);
	pci_cfg_write(dev, cap + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_ENABLE);
	pci_irq_msg(dev, 3);
	assert_int_equal(f->msi[1].data, 0x50);
	/* More messages than exist: the field's reserved values are no trap. */
	pci_cfg_write(dev, cap + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_ENABLE | 7 << 4);
	pci_irq_msg(dev, 3);
	assert_int_equal(f->n_msi, 3);
	pci_cfg_write(dev, dev->msix_cap + 2, 2, PCI_MSIX_FLAGS_ENABLE);
	assert_false(pci_msi_enabled(dev));
}

static void intx_lines_are_shared(void **state)
{
	struct pci_dev *others[8] = {NULL}, *mate;
	unsigned gsi = pci_dev_gsi(dev);
	struct fake *f = fake_of(vm);

	(void)state;
	for (int i = 0; i < 8; i++)
		others[i] = fake_attach(vm, &toy_ops, "");
	mate = others[7];
	assert_int_equal(pci_dev_gsi(mate), gsi);
	pci_irq_intx(dev, true);
	assert_true(f->line[gsi]);
	assert_true(pci_cfg_read(dev, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
	pci_irq_intx(mate, true);
	pci_irq_intx(dev, false);
	assert_true(f->line[gsi]);
	pci_cfg_write(mate, PCI_COMMAND, 2, PCI_COMMAND_INTX_DISABLE);
	assert_false(f->line[gsi]);
	pci_cfg_write(mate, PCI_COMMAND, 2, 0);
	assert_true(f->line[gsi]);
	pci_irq_intx(mate, false);
	pci_irq_intx(mate, false);
	assert_false(f->line[gsi]);
	assert_int_equal(f->n_line_changes, 4);
}

static void reset_puts_all_back(void **state)
{
	uint32_t bar0 = pci_cfg_read(dev, PCI_BASE_ADDRESS_0, 4);

	(void)state;
	fake_msix_on(dev, VECTORS);
	pci_cfg_write(dev, PCI_BASE_ADDRESS_0, 4, 0xd0000000);
	pci_irq_intx(dev, true);
	pci_reset_all(vm->pci);
	assert_int_equal(toy->resets, 1);
	assert_int_equal(pci_cfg_read(dev, PCI_COMMAND, 2), 0);
	assert_int_equal(pci_cfg_read(dev, PCI_BASE_ADDRESS_0, 4), bar0);
	assert_false(pci_msix_enabled(dev));
	assert_false(fake_of(vm)->line[pci_dev_gsi(dev)]);
	assert_int_equal(bus_read(&vm->mmio, 0xd0000000, 4), 0xffffffff);
}

static void config_ports_and_ecam(void **state)
{
	uint64_t ecam;

	(void)state;
	assert_int_equal(pci_host_init(vm->pci), 0); /* takes the next slot here */
	ecam = PCI_ECAM_BASE + ((uint64_t)dev->devfn << 12);
	assert_int_equal(bus_read(&vm->mmio, ecam, 4), 0x56781234);
	assert_int_equal(bus_read(&vm->mmio, ecam + 2, 2), 0x5678);
	assert_true(bus_read(&vm->mmio, ecam, 8) == UINT64_MAX);
	assert_int_equal(bus_read(&vm->mmio, ecam + (1 << 12), 4), 0xffffffff); /* function 1 */
	assert_int_equal(bus_read(&vm->mmio, ecam + (31 << 15), 4), 0xffffffff);
	bus_write(&vm->pio, 0xcf8, 4, 0x80000000 | dev->devfn << 8);
	assert_int_equal(bus_read(&vm->pio, 0xcf8, 4), 0x80000000 | dev->devfn << 8);
	assert_int_equal(bus_read(&vm->pio, 0xcfc, 4), 0x56781234);
	assert_int_equal(bus_read(&vm->pio, 0xcfe, 2), 0x5678);
	assert_int_equal(bus_read(&vm->pio, 0xcff, 1), 0x56);
	assert_int_equal(bus_read(&vm->pio, 0xcfe, 4), 0xffffffff);
	bus_write(&vm->pio, 0xcf8, 4, 0x80010000);
	assert_int_equal(bus_read(&vm->pio, 0xcfc, 4), 0xffffffff); /* bus 1 */
	bus_write(&vm->pio, 0xcf8, 4, dev->devfn << 8);
	assert_int_equal(bus_read(&vm->pio, 0xcfc, 4), 0xffffffff); /* not enabled */
	bus_write(&vm->pio, 0xcf9, 1, 0x02);
	assert_false(vm_has_ended(vm));
	bus_write(&vm->pio, 0xcf9, 1, 0x06);
	assert_true(vm_has_ended(vm));
}

/* A guest that writes anything anywhere in configuration space and then uses whatever BARs come of it. */
static void random_configuration(void **state)
{
	unsigned seed = test_seed();
	struct pci_dev *devs[] = {dev, fake_attach(vm, &toy_ops, "")};
	int efd = eventfd(0, 0);

	(void)state;
	srandom(seed);
	assert_int_equal(pci_ioeventfd(dev, 2, 0x10, 0, false, 0, efd, true), 0);
	assert_true(pci_irq_fd(dev, 0) >= 0);
	for (int i = 0; i < 100000; i++) {
		struct pci_dev *d = devs[random() % 2];
		unsigned reg = random() % 4 ? (unsigned)random() % 0x80 : (unsigned)random() % PCI_CFG_SIZE;
		uint64_t off = (uint64_t)random() % 0x2100;
		int bar = (int)(random() % 5);

		pci_cfg_write(d, reg, 1u << random() % 3, (uint32_t)random() * 2u);
		fake_write(d, bar, off, 1u << random() % 4, (uint64_t)random());
		fake_read(d, bar, off, 1u << random() % 4);
		pci_irq_msg(d, (unsigned)random() % 8);
		pci_irq_intx(d, random() & 1);
	}
	pci_reset_all(vm->pci);
	assert_int_equal(fake_of(vm)->n_irqfd, 0);
	assert_int_equal(fake_of(vm)->n_ioeventfd, 0);
	for (int gsi = 0; gsi < 24; gsi++)
		assert_false(fake_of(vm)->line[gsi]);
	/* As good as new once a guest switches it on again. */
	pci_cfg_write(dev, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
	every_access(state);
	close(efd);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(ids_and_names),
		T(every_access),
		T(every_config_access),
		T(bar_sizing),
		T(bar_moves),
		T(overlapping_bars),
		T(bars_at_the_ends_of_space),
		T(backing_follows_the_bar),
		T(registers_have_names),
		T(msix_masks_and_pending),
		T(msix_bounds),
		T(irqfd_follows_masks),
		T(reset_of_an_irqfd_held_by_others),
		T(msi_messages),
		T(intx_lines_are_shared),
		T(reset_puts_all_back),
		T(config_ports_and_ecam),
		T(random_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
