// SPDX-License-Identifier: MIT
/* Submission and completion queues of an NVMe controller, and the thread that serves them all. */
#include <string.h>

#include "base/log.h"
#include "vmm/devices/nvme/nvme.h"

/* Shared with a driver that runs at the same time: NULL when it is no memory. */
static uint32_t *shadow_word(struct nvme *n, gpa_t base, unsigned i)
{
	return base ? gmem_ptr(n->pci->gm, base + 4ull * i, 4) : NULL;
}

/* How far the driver has come: doorbell 2i of a submission queue, 2i + 1 of a completion queue. */
static uint32_t bell_value(struct nvme *n, unsigned i)
{
	const uint32_t *w = i < 2 ? NULL : shadow_word(n, n->shadow, i);

	if (w)
		return __atomic_load_n(w, __ATOMIC_ACQUIRE);
	return __atomic_load_n(&n->bell[i], __ATOMIC_ACQUIRE);
}

/* Ring when you pass this (the event index). */
static void bell_wish(struct nvme *n, unsigned i, uint32_t at)
{
	uint32_t *w = i < 2 ? NULL : shadow_word(n, n->event, i);

	if (w)
		__atomic_store_n(w, at, __ATOMIC_RELAXED);
}

static uint16_t ring_next(uint16_t i, uint16_t size)
{
	return (uint16_t)(i + 1 == size ? 0 : i + 1);
}

static bool cq_full(struct nvme *n, struct nvme_cq *cq, unsigned id)
{
	uint32_t head = bell_value(n, 2 * id + 1);

	if (head < cq->size)
		cq->head = (uint16_t)head;
	return ring_next(cq->tail, cq->size) == cq->head;
}

/* Only a full queue needs to be told of room; an index just behind is the last that is passed. */
static void cq_wish(struct nvme *n, unsigned id)
{
	struct nvme_cq *cq = &n->cq[id];
	bool full = cq_full(n, cq, id);

	bell_wish(n, 2 * id + 1, full ? cq->head : (uint16_t)(cq->head - 1));
}

void nvme_complete(struct nvme_sq *sq, uint16_t cid, uint16_t status, uint32_t result)
{
	struct nvme *n = sq->n;
	struct nvme_cq *cq = &n->cq[sq->cq];
	struct nvme_cqe e = {.result = result, .sq_head = sq->head, .sq_id = sq->id, .cid = cid};
	struct nvme_cqe *at = gmem_ptr(n->pci->gm, cq->base + 16ull * cq->tail, sizeof(e));

	if (!at)
		return;
	e.status = (uint16_t)(status << 1 | cq->phase);
	memcpy(at, &e, offsetof(struct nvme_cqe, status));
	/* The phase goes last: then the driver sees all of the entry (4.6). */
	__atomic_store_n(&at->status, e.status, __ATOMIC_RELEASE);
	cq->tail = ring_next(cq->tail, cq->size);
	cq->phase ^= !cq->tail;
	cq->fresh = true;
	stats_count(&sq->stats->descs, 1);
	if (status)
		stats_count(&sq->stats->errors, 1);
}

void nvme_req_end(struct nvme_req *req, uint16_t status)
{
	struct nvme_sq *sq = req->sq;
	struct nvme *n = sq->n;

	req->next = n->free;
	n->free = req;
	sq->in_flight--;
	n->cq[sq->cq].in_flight--;
	if (n->running)
		nvme_complete(sq, req->cid, status, 0);
}

static void interrupt(struct nvme *n)
{
	for (unsigned i = 0; i <= n->pairs; i++) {
		struct nvme_cq *cq = &n->cq[i];

		if (!cq->on || !cq->fresh)
			continue;
		cq->fresh = false;
		if (!cq->irq)
			continue;
		stats_count(&n->sq[i].stats->interrupts, 1);
		if (pci_msix_enabled(n->pci))
			pci_irq_msg(n->pci, cq->vector);
		else
			pci_irq_intx(n->pci, !(__atomic_load_n(&n->intms, __ATOMIC_RELAXED) & 1));
	}
}

/* Completions that have no room wait in the submission queue: it is not taken from. */
static bool sq_may_take(struct nvme *n, struct nvme_sq *sq)
{
	struct nvme_cq *cq = &n->cq[sq->cq];
	unsigned room;

	if (!n->free || cq_full(n, cq, sq->cq))
		return false;
	room = (unsigned)(cq->head + cq->size - cq->tail - 1) % cq->size;
	return cq->in_flight < room;
}

static void sq_take(struct nvme *n, struct nvme_sq *sq)
{
	struct nvme_req *req = n->free;
	struct nvme_cmd cmd;
	uint32_t result = 0;
	uint16_t status;

	if (gmem_read(n->pci->gm, sq->base + 64ull * sq->head, &cmd, sizeof(cmd)))
		memset(&cmd, 0xff, sizeof(cmd)); /* an opcode that is none */
	sq->head = ring_next(sq->head, sq->size);
	if (!sq->id) {
		status = nvme_admin(n, &cmd, &result);
		if (status != NVME_PENDING)
			nvme_complete(sq, cmd.cid, status, result);
		return;
	}
	n->free = req->next;
	req->sq = sq;
	req->cid = cmd.cid;
	sq->in_flight++;
	n->cq[sq->cq].in_flight++;
	stats_count(&sq->stats->depth_sum, sq->in_flight);
	status = nvme_io(req, &cmd);
	if (status != NVME_PENDING)
		nvme_req_end(req, status);
}

static unsigned sq_serve(struct nvme *n, struct nvme_sq *sq)
{
	unsigned taken = 0;
	uint32_t tail;

	while (sq->on && taken < sq->size) {
		tail = bell_value(n, 2u * sq->id);
		if (tail >= sq->size || tail == sq->head || !sq_may_take(n, sq))
			break;
		sq_take(n, sq);
		taken++;
	}
	return taken;
}

bool nvme_serve(void *arg)
{
	struct nvme *n = arg;
	unsigned work = 0;

	if (!n->running)
		return false;
	work = disk_reap(n->queue);
	for (unsigned i = 0; i <= n->pairs; i++)
		work += sq_serve(n, &n->sq[i]);
	disk_push(n->queue);
	work += disk_reap(n->queue);
	interrupt(n);
	return work;
}

bool nvme_arm(void *arg)
{
	struct nvme *n = arg;
	bool more = disk_arm(n->queue);

	for (unsigned i = 1; n->running && i <= n->pairs; i++) {
		struct nvme_sq *sq = &n->sq[i];

		if (!sq->on)
			continue;
		bell_wish(n, 2 * i, sq->head);
		cq_wish(n, sq->cq);
	}
	/* The wish must be out before the tails are looked at again. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (unsigned i = 0; n->running && i <= n->pairs; i++) {
		struct nvme_sq *sq = &n->sq[i];
		uint32_t tail = bell_value(n, 2 * i);

		more |= sq->on && tail < sq->size && tail != sq->head && sq_may_take(n, sq);
	}
	return more;
}
