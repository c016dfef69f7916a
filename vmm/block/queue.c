// SPDX-License-Identifier: MIT
/* One thread's way to a medium: requests are checked here, once, and their results judged. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "vmm/block/disk_priv.h"

static void list_init(struct disk_list *l)
{
	l->first = NULL;
	l->end = &l->first;
}

static void list_add(struct disk_list *l, struct disk_req *req)
{
	req->next = NULL;
	*l->end = req;
	l->end = &req->next;
}

static struct disk_req *list_take(struct disk_list *l)
{
	struct disk_req *req = l->first;

	if (!req)
		return NULL;
	l->first = req->next;
	if (!l->first)
		l->end = &l->first;
	return req;
}

int disk_queue_open(struct disk_queue **out, struct disk *d, unsigned depth)
{
	struct disk_queue *q = calloc(1, sizeof(*q));
	int err;

	if (!q)
		return -ENOMEM;
	q->disk = d;
	q->depth = depth;
	list_init(&q->ended);
	/* Here and not when it is needed: the thread that serves may not map memory. */
	q->bounce = aligned_alloc(4096, DISK_BOUNCE);
	err = -ENOMEM;
	if (q->bounce)
		err = d->engine->open(q);
	if (err) {
		free(q->bounce);
		free(q);
		return err;
	}
	*out = q;
	return 0;
}

void disk_queue_close(struct disk_queue *q)
{
	if (!q)
		return;
	q->disk->engine->close(q);
	free(q->bounce);
	free(q);
}

int disk_queue_fd(const struct disk_queue *q)
{
	return q->disk->engine->fd(q);
}

void disk_ended(struct disk_queue *q, struct disk_req *req, int result)
{
	req->result = result;
	list_add(&q->ended, req);
}

/* ---- on the way in ---- */

static bool moves_data(const struct disk_req *req)
{
	return req->op == DISK_READ || req->op == DISK_WRITE;
}

static int request_check(const struct disk *d, const struct disk_req *req)
{
	if (__atomic_load_n(&d->gone, __ATOMIC_RELAXED))
		return -ENODEV;
	if (req->op == DISK_FLUSH)
		return 0;
	if (req->op != DISK_READ && d->info.read_only)
		return -EROFS;
	if (req->op == DISK_DISCARD && !d->info.discard)
		return -EOPNOTSUPP;
	if (!range_ok(req->at, req->len, d->info.size))
		return -ERANGE;
	if ((req->at | req->len) & (d->info.block - 1) || !req->len)
		return -EINVAL;
	if (moves_data(req) && (req->len > DISK_LEN_MAX || !req->n_iov || req->n_iov > IOV_MAX))
		return -EINVAL;
	return 0;
}

bool disk_in_place(const struct disk *d, const struct disk_req *req)
{
	uintptr_t bits = 0;

	for (unsigned i = 0; i < req->n_iov; i++)
		bits |= (uintptr_t)req->iov[i].iov_base | req->iov[i].iov_len;
	return !(bits & (d->mem_align - 1));
}

/* What is rare, or what io_uring has no operation for, is done here and now. */
static bool must_block(const struct disk *d, const struct disk_req *req)
{
	if (moves_data(req))
		return !disk_in_place(d, req);
	return req->op == DISK_DISCARD ||
	       (req->op == DISK_ZERO && (req->durable || __atomic_load_n(&d->no_zero, __ATOMIC_RELAXED)));
}

int disk_result(const struct disk_req *req, int err)
{
	if (err)
		return err;
	return moves_data(req) ? (int)req->len : 0;
}

void disk_submit(struct disk_queue *q, struct disk_req *req)
{
	struct disk *d = q->disk;
	int err = request_check(d, req);

	q->in_flight++;
	if (err)
		disk_ended(q, req, err);
	else if (must_block(d, req))
		disk_ended(q, req, disk_result(req, disk_blocking(q, req, 0)));
	else
		d->engine->start(q, req);
}

bool disk_try(const struct disk *d, const struct disk_req *req)
{
	if (!moves_data(req) || request_check(d, req) || !disk_in_place(d, req))
		return false;
	return disk_move(d, req, req->iov, req->n_iov, req->at) == (ssize_t)req->len;
}

void disk_push(struct disk_queue *q)
{
	q->disk->engine->push(q);
}

/* ---- on the way out ---- */

/* Of the moment, and not of the medium. */
static bool ask_again(int result)
{
	return result == -EAGAIN || result == -EINTR;
}

/* A transfer that stopped short goes on where it was: what follows, or its error, is then known. */
static int judge_transfer(struct disk_queue *q, struct disk_req *req)
{
	struct disk *d = q->disk;
	int r = req->result;

	if (ask_again(r) || (req->op == DISK_ZERO && r == -EOPNOTSUPP))
		return disk_blocking(q, req, 0);
	if (r < 0)
		return r;
	if (moves_data(req) && (uint64_t)r < req->len)
		return disk_blocking(q, req, (uint64_t)r);
	/* Not acknowledged if what was written before is no longer there. */
	if (req->op == DISK_FLUSH)
		return medium_check(d);
	return 0;
}

unsigned disk_reap(struct disk_queue *q)
{
	struct disk_req *req;
	unsigned n = 0;

	q->disk->engine->collect(q, false);
	while ((req = list_take(&q->ended))) {
		int err = judge_transfer(q, req);

		q->in_flight--;
		n++;
		req->done(req, err);
	}
	return n;
}

bool disk_arm(struct disk_queue *q)
{
	return q->disk->engine->arm(q);
}

unsigned disk_in_flight(const struct disk_queue *q)
{
	return q->in_flight;
}

uint64_t disk_host_requests(const struct disk_queue *q)
{
	return q->host_requests;
}

void disk_drain(struct disk_queue *q)
{
	while (q->in_flight) {
		disk_push(q);
		q->disk->engine->collect(q, true);
		disk_reap(q);
	}
}
