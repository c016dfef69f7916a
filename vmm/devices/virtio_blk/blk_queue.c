// SPDX-License-Identifier: MIT
/* A queue of virtio-blk and its thread: requests are taken, given back and interrupted for. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "vmm/devices/virtio_blk/blk.h"

/* ---- requests ---- */

static struct vblk_req *req_at(const struct vblk_queue *q, unsigned i)
{
	return (struct vblk_req *)(q->reqs + i * q->req_size);
}

static void req_free(struct vblk_queue *q, struct vblk_req *req)
{
	req->next = q->free;
	q->free = req;
}

static void all_free(struct vblk_queue *q)
{
	q->free = NULL;
	q->oldest = NULL;
	q->newest = &q->oldest;
	for (unsigned i = q->vq.map.size; i-- > 0;)
		req_free(q, req_at(q, i));
}

static void give_back(struct vblk_req *req)
{
	struct vblk_queue *q = req->q;

	stats_count(&q->stats->descs, 1);
	stats_count(&q->stats->bytes, req->bytes);
	virtq_push(&q->vq, &req->c, req->c.in_len);
	req_free(q, req);
}

/* Those that are done wait for the ones before them. */
static void give_back_in_turn(struct vblk_queue *q)
{
	struct vblk_req *req;

	while ((req = q->oldest) && req->ended) {
		q->oldest = req->next;
		if (!q->oldest)
			q->newest = &q->oldest;
		give_back(req);
	}
}

void vblk_req_end(struct vblk_req *req, uint8_t status)
{
	struct vblk_queue *q = req->q;

	if (!q->running)
		return; /* being reset: nothing goes to the guest any more */
	if (status != VIRTIO_BLK_S_OK)
		stats_count(&q->stats->errors, 1);
	*req->status = status;
	req->ended = true;
	if (q->in_turn)
		give_back_in_turn(q);
	else
		give_back(req);
}

/* ---- the thread ---- */

static void queue_broken(struct vblk_queue *q)
{
	stats_count(&q->stats->bad, 1);
	q->vq.broken = true;
	q->blk->ops->broken(q->blk, q->index);
}

/* 1: a request was begun; 0: there is none; -EBADMSG */
static int queue_take_one(struct vblk_queue *q)
{
	struct vblk_req *req = q->free;
	int r;

	if (!req)
		return 0;
	r = virtq_pop(&q->vq, &req->c, req->iov, q->vq.map.size);
	if (r <= 0)
		return r;
	q->free = req->next;
	req->ended = false;
	req->next = NULL;
	if (q->in_turn) {
		*q->newest = req;
		q->newest = &req->next;
	}
	stats_count(&q->stats->depth_sum, q->vq.in_flight);
	return vblk_req_begin(req) ? -EBADMSG : 1;
}

static unsigned queue_take(struct vblk_queue *q)
{
	unsigned n = 0;
	int r = 0;

	while (!q->vq.broken && n < q->vq.map.size && (r = queue_take_one(q)) > 0)
		n++;
	if (r < 0)
		queue_broken(q);
	if (n && q->armed) {
		virtq_kicks_off(&q->vq);
		q->armed = false;
	}
	return n;
}

static void count_batch(struct stats_queue *s, unsigned n)
{
	unsigned bucket = 31 - (unsigned)__builtin_clz(n);

	stats_count(&s->batch[MIN(bucket, STATS_BATCH - 1u)], 1);
}

static void queue_publish(struct vblk_queue *q)
{
	struct stats_queue *s = q->stats;

	if (!q->vq.batch_n)
		return;
	count_batch(s, q->vq.batch_n);
	virtq_publish(&q->vq);
	if (virtq_should_call(&q->vq)) {
		stats_count(&s->interrupts, 1);
		q->blk->ops->call(q->blk, q->index);
	} else {
		stats_count(&s->suppressed, 1);
	}
}

static void count_kicks(struct vblk_queue *q, bool worked)
{
	uint64_t kicks = q->stats->kicks;

	if (!worked && kicks != q->seen_kicks)
		stats_count(&q->stats->spurious_kicks, kicks - q->seen_kicks);
	q->seen_kicks = kicks;
}

static bool queue_serve(void *arg)
{
	struct vblk_queue *q = arg;
	unsigned n;

	if (!q->running)
		return false;
	n = disk_reap(q->disk);
	n += queue_take(q);
	disk_push(q->disk);
	n += disk_reap(q->disk);
	queue_publish(q);
	count_kicks(q, n);
	if (n)
		__atomic_store_n(&q->stats->host_requests, disk_host_requests(q->disk), __ATOMIC_RELAXED);
	return n;
}

static bool queue_arm(void *arg)
{
	struct vblk_queue *q = arg;
	bool more = disk_arm(q->disk);

	if (q->running && !q->vq.broken) {
		q->armed = true;
		more |= virtq_kicks_on(&q->vq);
	}
	return more;
}

/* ---- life ---- */

static int requests_alloc(struct vblk_queue *q)
{
	unsigned n = q->blk->ring_max;

	q->req_size = align_up(sizeof(struct vblk_req) + n * sizeof(struct iovec), 64);
	q->reqs = calloc(n, q->req_size);
	if (!q->reqs)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++)
		req_at(q, i)->q = q;
	return 0;
}

int vblk_queue_open(struct vblk_queue *q, uint64_t poll_ns)
{
	static const struct io_thread_ops ops = {queue_serve, queue_arm};
	const struct vblk *b = q->blk;
	char name[16];
	int err = requests_alloc(q), fd;

	snprintf(name, sizeof(name), "%.12s-q%u", b->name, (uint8_t)q->index % 10u);
	if (!err)
		err = disk_queue_open(&q->disk, b->disk, b->ring_max);
	if (!err)
		err = io_thread_create(&q->thread, b->threads, name, poll_ns, &ops, q);
	if (err)
		return err;
	fd = disk_queue_fd(q->disk);
	if (fd >= 0)
		err = io_thread_watch(q->thread, fd, NULL);
	if (err)
		log_error("%s: out of file descriptors", b->name);
	return err;
}

void vblk_queue_close(struct vblk_queue *q)
{
	io_thread_destroy(q->thread);
	disk_queue_close(q->disk);
	free(q->reqs);
	*q = (struct vblk_queue){.blk = q->blk};
}

struct queue_call {
	struct vblk_queue *q;
	const struct served_ring *ring;
};

static void start_here(void *arg)
{
	const struct queue_call *c = arg;
	const struct served_ring *r = c->ring;
	struct vblk_queue *q = c->q;

	q->stats = r->stats;
	if (virtq_start(&q->vq, q->blk->gm, &r->layout, q->blk->features, r->base)) {
		log_guest("%s: a queue is misaligned or not in memory", q->blk->name);
		queue_broken(q);
		return;
	}
	if (io_thread_watch(q->thread, r->kick_fd, &q->stats->kicks)) {
		queue_broken(q);
		return;
	}
	virtq_track(&q->vq, r->progress);
	q->kick_fd = r->kick_fd;
	q->in_turn = q->vq.in_order || q->blk->keep_order;
	all_free(q);
	q->armed = true;
	q->running = true;
}

void vblk_queue_start(struct vblk_queue *q, const struct served_ring *ring)
{
	struct queue_call c = {q, ring};

	io_thread_call(q->thread, start_here, &c);
}

static void end_here(struct vblk_queue *q)
{
	if (q->running)
		io_thread_unwatch(q->thread, q->kick_fd);
	q->running = false;
}

static void stop_here(void *arg)
{
	struct vblk_queue *q = arg;

	end_here(q);
	disk_drain(q->disk);
}

void vblk_queue_stop(struct vblk_queue *q)
{
	io_thread_call(q->thread, stop_here, q);
}

static void finish_here(void *arg)
{
	struct vblk_queue *q = arg;

	disk_drain(q->disk);
	if (q->running)
		queue_publish(q);
	end_here(q);
}

uint32_t vblk_queue_finish(struct vblk_queue *q)
{
	io_thread_call(q->thread, finish_here, q);
	return virtq_base(&q->vq);
}
