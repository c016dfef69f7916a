// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vmm/core/bus.h"
#include "vmm/core/machine.h"
#include "vmm/platform/ioapic.h"

#define PINS        24
#define VERSION     (0x11u | (PINS - 1) << 16)
#define REG_ID      0
#define REG_VERSION 1
#define REG_ARB     2
#define REG_REDIR   0x10

/* Redirection entry, 82093AA 3.2.4. */
#define E_VECTOR     0xffull
#define E_DELIVERY   (7ull << 8)
#define E_DEST_LOGIC (1ull << 11)
#define E_STATUS     (1ull << 12) /* read only */
#define E_REMOTE_IRR (1ull << 14) /* read only */
#define E_LEVEL      (1ull << 15)
#define E_MASKED     (1ull << 16)

struct ioapic {
	struct vm *vm;
	pthread_mutex_t lock; /* after device locks, before the routing lock */
	uint32_t select, id;
	uint64_t entry[PINS];
	bool line[PINS];
};

/* The message of an entry (SDM 3A, 11.11): destination in the address, the rest in the data. */
static void entry_message(uint64_t e, uint64_t *addr, uint32_t *data)
{
	*addr = 0xfee00000ull | (e >> 56) << 12 | bits_if(e & E_DEST_LOGIC, 4);
	*data = (uint32_t)((e & E_VECTOR) | (e & E_DELIVERY) | (e & E_LEVEL));
}

/* Tells KVM which vectors' EOI it must report: those of the routes below 24. */
static void update_route(struct ioapic *io, unsigned pin)
{
	uint64_t e = io->entry[pin], addr = 0;
	uint32_t data = 0;

	if (!(e & E_MASKED))
		entry_message(e, &addr, &data);
	if (io->vm->backend->msi_route(io->vm, (int)pin, addr, data))
		log_guest("IOAPIC pin %u: no route", pin);
}

/* Deliver a level pin that is high and not in service. */
static void serve_level(struct ioapic *io, unsigned pin)
{
	uint64_t *e = &io->entry[pin], addr;
	uint32_t data;

	if (!io->line[pin] || !(*e & E_LEVEL) || *e & (E_MASKED | E_REMOTE_IRR))
		return;
	*e |= E_REMOTE_IRR;
	entry_message(*e, &addr, &data);
	vm_msi_send(io->vm, addr, data);
}

void ioapic_set_line(struct ioapic *io, unsigned pin, bool level)
{
	uint64_t addr;
	uint32_t data;
	bool rising;

	if (pin >= PINS)
		return;
	pthread_mutex_lock(&io->lock);
	rising = level && !io->line[pin];
	io->line[pin] = level;
	if (rising && !(io->entry[pin] & (E_LEVEL | E_MASKED))) {
		entry_message(io->entry[pin], &addr, &data);
		vm_msi_send(io->vm, addr, data);
	}
	serve_level(io, pin);
	pthread_mutex_unlock(&io->lock);
}

void ioapic_eoi(struct ioapic *io, uint8_t vector)
{
	pthread_mutex_lock(&io->lock);
	for (unsigned pin = 0; pin < PINS; pin++) {
		if ((io->entry[pin] & E_VECTOR) != vector || !(io->entry[pin] & E_LEVEL))
			continue;
		io->entry[pin] &= ~E_REMOTE_IRR;
		serve_level(io, pin);
	}
	pthread_mutex_unlock(&io->lock);
}

static uint32_t reg_read(const struct ioapic *io)
{
	unsigned pin = (io->select - REG_REDIR) / 2;

	switch (io->select) {
	case REG_ID:
	case REG_ARB:
		return io->id;
	case REG_VERSION:
		return VERSION;
	}
	if (io->select < REG_REDIR || pin >= PINS)
		return 0;
	return (uint32_t)(io->entry[pin] >> (io->select & 1 ? 32 : 0));
}

static void entry_write(struct ioapic *io, unsigned pin, bool high, uint32_t val)
{
	uint64_t ro = E_STATUS | E_REMOTE_IRR, old = io->entry[pin], v;

	if (high)
		v = (old & 0xffffffff) | (uint64_t)val << 32;
	else
		v = (old & ~0xffffffffull) | val;
	io->entry[pin] = (v & ~ro) | (old & ro);
	/* An edge pin is never in service. */
	if (!(v & E_LEVEL))
		io->entry[pin] &= ~E_REMOTE_IRR;
	if (io->entry[pin] == old)
		return;
	/* While masked only the mask itself matters to KVM: half-written entries cost no update. */
	if (!(old & E_MASKED) || !(io->entry[pin] & E_MASKED))
		update_route(io, pin);
	serve_level(io, pin);
}

static void reg_write(struct ioapic *io, uint32_t val)
{
	unsigned pin = (io->select - REG_REDIR) / 2;

	if (io->select == REG_ID)
		io->id = val & 0x0f000000;
	else if (io->select >= REG_REDIR && pin < PINS)
		entry_write(io, pin, io->select & 1, val);
}

static uint64_t mmio_read(void *arg, uint64_t off, unsigned len)
{
	struct ioapic *io = arg;
	uint64_t val = bus_ones(len);

	pthread_mutex_lock(&io->lock);
	if (off == 0x00)
		val = io->select;
	else if (off == 0x10)
		val = reg_read(io);
	pthread_mutex_unlock(&io->lock);
	return val;
}

static void mmio_write(void *arg, uint64_t off, unsigned len, uint64_t val)
{
	struct ioapic *io = arg;

	(void)len;
	pthread_mutex_lock(&io->lock);
	if (off == 0x00)
		io->select = val & 0xff;
	else if (off == 0x10)
		reg_write(io, (uint32_t)val);
	pthread_mutex_unlock(&io->lock);
	if (off == 0x40)
		ioapic_eoi(io, (uint8_t)val);
}

static const struct bus_ops ioapic_ops = {"IOAPIC", mmio_read, mmio_write};

static void mask_all(struct ioapic *io)
{
	for (unsigned pin = 0; pin < PINS; pin++)
		io->entry[pin] = E_MASKED;
}

void ioapic_reset(struct ioapic *io)
{
	if (!io)
		return;
	pthread_mutex_lock(&io->lock);
	io->select = io->id = 0;
	mask_all(io);
	for (unsigned pin = 0; pin < PINS; pin++)
		io->vm->backend->msi_route(io->vm, (int)pin, 0, 0);
	pthread_mutex_unlock(&io->lock);
}

int ioapic_create(struct ioapic **out, struct vm *vm)
{
	struct ioapic *io = calloc(1, sizeof(*io));

	if (!io)
		return -ENOMEM;
	io->vm = vm;
	pthread_mutex_init(&io->lock, NULL);
	mask_all(io);
	*out = io;
	vm_stats_region(vm, "IOAPIC", false, IOAPIC_BASE, 4096);
	return vm_map(vm, false, IOAPIC_BASE, 4096, &ioapic_ops, io);
}

void ioapic_destroy(struct ioapic *io)
{
	if (!io)
		return;
	pthread_mutex_destroy(&io->lock);
	free(io);
}
