// SPDX-License-Identifier: MIT
#include "vmm/devices/nvme/nvme.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/log.h"
#include "vmm/core/eventfd.h"

#define BAR_SIZE 0x4000u
#define BELLS	 0x1000u
#define POLL_US	 50

/* Figure 68 */
enum {
	CAP = 0,
	VS = 8,
	INTMS = 0xc,
	INTMC = 0x10,
	CC = 0x14,
	CSTS = 0x1c,
	AQA = 0x24,
	ASQ = 0x28,
	ACQ = 0x30
};

#define CAP_VALUE  ((NVME_ENTRIES - 1) | 1ull << 16 | 20ull << 24 | 1ull << 37)
#define VS_VALUE   0x10400u
#define CC_EN	   1u
#define CC_SHUT	   0xc000u
#define CSTS_RDY   1u
#define CSTS_FATAL 2u
#define CSTS_SHUT  8u /* complete */

static void stop_here(void *arg)
{
	struct nvme *n = arg;

	n->running = false;
	disk_drain(n->queue);
	for (unsigned i = 0; i <= n->pairs; i++) {
		n->sq[i].on = n->cq[i].on = false;
		n->cq[i].n_sqs = 0;
	}
	n->shadow = n->event = 0;
	n->n_held = 0;
}

static void start_here(void *arg)
{
	struct nvme *n = arg;
	struct nvme_cq *cq = &n->cq[0];
	struct nvme_sq *sq = &n->sq[0];

	*cq = (struct nvme_cq){.on = true, .base = n->acq, .phase = true, .irq = true, .n_sqs = 1};
	cq->size = (uint16_t)((n->aqa >> 16 & 0xfff) + 1);
	sq->base = n->asq;
	sq->size = (uint16_t)((n->aqa & 0xfff) + 1);
	sq->head = sq->in_flight = 0;
	sq->on = true;
	n->running = true;
}

static bool admin_queues_ok(const struct nvme *n)
{
	uint32_t sq = (n->aqa & 0xfff) + 1, cq = (n->aqa >> 16 & 0xfff) + 1;

	return sq >= 2 && cq >= 2 && gmem_ptr(n->pci->gm, n->asq, 64ull * sq) &&
	       gmem_ptr(n->pci->gm, n->acq, 16ull * cq) && !(n->asq % NVME_PAGE) && !(n->acq % NVME_PAGE);
}

static void on_thread(struct nvme *n, void (*fn)(void *arg))
{
	io_thread_call(n->thread, fn, n);
}

static void controller_off(void *arg)
{
	struct nvme *n = arg;

	on_thread(n, stop_here);
	memset(n->bell, 0, sizeof(n->bell));
	n->csts = 0;
}

static void controller_on(void *arg)
{
	struct nvme *n = arg;

	memset(n->bell, 0, sizeof(n->bell)); /* rung while it was off */
	if (!admin_queues_ok(n) || n->cc >> 7 & 0xf) {
		n->csts = CSTS_FATAL;
		return;
	}
	on_thread(n, start_here);
	n->csts = CSTS_RDY;
}

static void write_cc(struct nvme *n, uint32_t val)
{
	uint32_t old = n->cc;

	n->cc = val;
	if (val & CC_EN && !(old & CC_EN))
		vm_control(n->pci->vm, controller_on, n);
	else if (!(val & CC_EN) && old & CC_EN)
		vm_control(n->pci->vm, controller_off, n);
	if (val & CC_SHUT && !(old & CC_SHUT))
		n->csts |= CSTS_SHUT;
	if (!(val & CC_SHUT))
		n->csts &= ~CSTS_SHUT;
}

static void write_bell(struct nvme *n, uint64_t off, uint64_t val)
{
	uint64_t i = (off - BELLS) / 4;

	if (i >= 2 * (n->pairs + 1ull))
		return;
	__atomic_store_n(&n->bell[i], (uint32_t)val, __ATOMIC_RELEASE);
	if (!pci_msix_enabled(n->pci) && i & 1)
		pci_irq_intx(n->pci, false);
	eventfd_signal_own(n->kick_fd);
}

static void write_half(uint64_t *reg, bool high, uint64_t val)
{
	if (high)
		*reg = (*reg & UINT32_MAX) | val << 32;
	else
		*reg = (*reg & ~(uint64_t)UINT32_MAX) | (uint32_t)val;
}

static void write_address(struct nvme *n, uint64_t off, unsigned len, uint64_t val)
{
	uint64_t *reg = off < ACQ ? &n->asq : &n->acq;

	if (n->cc & CC_EN)
		return;
	if (len == 8)
		*reg = val;
	else
		write_half(reg, off & 4, val);
}

static void nvme_write(struct pci_dev *pci, int bar, uint64_t off, unsigned len, uint64_t val)
{
	struct nvme *n = pci->priv;

	if (bar || len < 4)
		return;
	if (off >= BELLS) {
		write_bell(n, off, val);
		return;
	}
	switch (off) {
	case INTMS:
		n->intms |= (uint32_t)val;
		break;
	case INTMC:
		n->intms &= ~(uint32_t)val;
		break;
	case CC:
		write_cc(n, (uint32_t)val);
		break;
	case AQA:
		if (!(n->cc & CC_EN))
			n->aqa = (uint32_t)val;
		break;
	case ASQ:
	case ASQ + 4:
	case ACQ:
	case ACQ + 4:
		write_address(n, off, len, val);
		break;
	}
}

static uint64_t register_at(const struct nvme *n, uint64_t off)
{
	switch (off & ~7ull) {
	case CAP:
		return CAP_VALUE;
	case VS:
		return VS_VALUE | (uint64_t)n->intms << 32;
	case INTMC:
		return n->intms | (uint64_t)n->cc << 32;
	case CSTS & ~7:
		return (uint64_t)n->csts << 32;
	case AQA & ~7:
		return (uint64_t)n->aqa << 32;
	case ASQ:
		return n->asq;
	case ACQ:
		return n->acq;
	}
	return 0;
}

static uint64_t nvme_read(struct pci_dev *pci, int bar, uint64_t off, unsigned len)
{
	(void)len; /* the bus takes as many bytes as it wants */
	return bar ? 0 : register_at(pci->priv, off) >> off % 8 * 8;
}

static void nvme_reset(struct pci_dev *pci)
{
	struct nvme *n = pci->priv;

	n->cc = 0;
	n->intms = n->aqa = 0;
	n->asq = n->acq = 0;
	vm_control(pci->vm, controller_off, n);
}

/* ---- set-up ---- */

static void name_registers(struct nvme *n)
{
	char name[32];

	pci_name_reg(n->pci, 0, CC, 4, "CC");
	pci_name_reg(n->pci, 0, CSTS, 4, "CSTS");
	for (unsigned i = 0; i <= n->pairs; i++) {
		snprintf(name, sizeof(name), "SQ%u tail", i);
		pci_name_reg(n->pci, 0, BELLS + 8 * i, 4, name);
		snprintf(name, sizeof(name), "CQ%u head", i);
		pci_name_reg(n->pci, 0, BELLS + 8 * i + 4, 4, name);
	}
}

static int requests_alloc(struct nvme *n)
{
	n->reqs = calloc(NVME_ENTRIES, sizeof(*n->reqs));
	if (!n->reqs)
		return -ENOMEM;
	for (unsigned i = 0; i < NVME_ENTRIES; i++) {
		n->reqs[i].next = n->free;
		n->free = &n->reqs[i];
	}
	return 0;
}

static int open_thread(struct nvme *n, uint64_t poll_ns)
{
	static const struct io_thread_ops ops = {nvme_serve, nvme_arm};
	int err = requests_alloc(n), fd;

	n->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!err && n->kick_fd < 0)
		err = -errno;
	if (!err)
		err = disk_queue_open(&n->queue, n->disk, NVME_ENTRIES);
	if (!err)
		err = io_thread_create(&n->thread, vm_threads(n->pci->vm), n->pci->name, poll_ns, &ops, n);
	if (err)
		return err;
	fd = disk_queue_fd(n->queue);
	err = io_thread_watch(n->thread, n->kick_fd, &n->sq[1].stats->kicks);
	if (!err && fd >= 0)
		err = io_thread_watch(n->thread, fd, NULL);
	return err;
}

static void init_queues(struct nvme *n)
{
	for (unsigned i = 0; i <= n->pairs; i++) {
		char name[STATS_NAME];

		snprintf(name, sizeof(name), "%s SQ%u", n->pci->name, i);
		n->sq[i] = (struct nvme_sq){.n = n, .id = (uint16_t)i};
		n->sq[i].stats = vm_stats_queue(n->pci->vm, name);
	}
}

static int nvme_init(struct pci_dev *pci, const struct dev_opts *opts)
{
	struct nvme *n = calloc(1, sizeof(*n));
	uint64_t pairs = 1, poll_us = POLL_US;
	int err;

	if (!n)
		return -ENOMEM;
	pci->priv = n;
	n->pci = pci;
	n->kick_fd = -1;
	n->shadow_knob = true;
	err = dev_opts_u64(opts, "queues", &pairs, 1, NVME_PAIRS - 1);
	if (!err)
		err = dev_opts_u64(opts, "poll_us", &poll_us, 0, 1000000);
	if (!err)
		err = dev_opts_bool(opts, "shadow", &n->shadow_knob);
	n->pairs = (unsigned)pairs;
	if (!err)
		err = disk_open(&n->disk, opts, pci->name);
	if (err)
		return err;
	pci_set_id(pci, 0x1af4, 0x1f55, 0x1af4, 0x1100, 0x01080200);
	err = pci_add_bar(pci, 0, PCI_BAR_MEM64, BAR_SIZE);
	if (!err)
		err = pci_add_msix(pci, 4, n->pairs + 1);
	pci_add_intx(pci);
	init_queues(n);
	if (!err)
		name_registers(n);
	if (!err)
		err = open_thread(n, poll_us * NSEC_PER_USEC);
	return err;
}

static void nvme_exit(struct pci_dev *pci)
{
	struct nvme *n = pci->priv;

	if (!n)
		return;
	if (n->thread)
		on_thread(n, stop_here);
	io_thread_destroy(n->thread);
	disk_queue_close(n->queue);
	disk_close(n->disk);
	close_fd(&n->kick_fd);
	free(n->reqs);
	free(n);
	pci->priv = NULL;
}

const struct pci_ops nvme_ops = {
	.name = "nvme",
	.init = nvme_init,
	.bar_read = nvme_read,
	.bar_write = nvme_write,
	.reset = nvme_reset,
	.exit = nvme_exit,
};
