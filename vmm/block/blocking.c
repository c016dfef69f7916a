// SPDX-License-Identifier: MIT
/*
 * A request done at once by system calls that wait: all of engine=sync, and what io_uring cannot do
 * or left half done.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/block/disk_priv.h"
#include "vmm/virtq/iov.h"

ssize_t disk_move(const struct disk *d, const struct disk_req *req, const struct iovec *iov, unsigned n,
		  uint64_t at)
{
	if (req->op == DISK_READ)
		return preadv2(d->fd, iov, (int)n, (off_t)at, 0);
	return pwritev2(d->fd, iov, (int)n, (off_t)at, (int)bits_if(req->durable, RWF_DSYNC));
}

static ssize_t move_once(struct disk_queue *q, const struct disk_req *req, const struct iovec *iov,
			 unsigned n, uint64_t at)
{
	q->host_requests++;
	return disk_move(q->disk, req, iov, n, at);
}

/*
 * What a transfer came to: bytes to go on after, or -errno. Nothing at all is the end of a file
 * that has shrunk.
 */
static ssize_t move_result(struct disk_queue *q, ssize_t r)
{
	if (r > 0)
		return r;
	if (r < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	medium_check(q->disk);
	return -EIO;
}

/* Leave the first `by` bytes of the vector out. */
static void advance_vector(struct disk_req *req, uint64_t by)
{
	while (req->n_iov && by >= req->iov->iov_len) {
		by -= req->iov->iov_len;
		req->iov++;
		req->n_iov--;
	}
	if (req->n_iov) {
		req->iov->iov_base = (char *)req->iov->iov_base + by;
		req->iov->iov_len -= by;
	}
}

static int move_in_place(struct disk_queue *q, struct disk_req *req, uint64_t from)
{
	advance_vector(req, from);
	while (from < req->len) {
		ssize_t r = move_result(q, move_once(q, req, req->iov, req->n_iov, req->at + from));

		if (r < 0)
			return (int)r;
		advance_vector(req, (uint64_t)r);
		from += (uint64_t)r;
	}
	return 0;
}

/* Through memory of our own, a piece at a time: the guest's is not aligned. */
static int move_bounced(struct disk_queue *q, struct disk_req *req, uint64_t from)
{
	struct iovec piece = {q->bounce, 0};

	while (from < req->len) {
		ssize_t r;

		piece.iov_len = MIN(DISK_BOUNCE, req->len - from);
		if (req->op == DISK_WRITE)
			iov_gather(req->iov, req->n_iov, from, piece.iov_base, piece.iov_len);
		r = move_result(q, move_once(q, req, &piece, 1, req->at + from));
		if (r < 0)
			return (int)r;
		if (req->op == DISK_READ)
			iov_scatter(req->iov, req->n_iov, from, piece.iov_base, (size_t)r);
		from += (uint64_t)r;
	}
	return 0;
}

/* ---- ranges ---- */

/* A write whose vector is empty: the buffer keeps its zeroes. */
static int zero_by_hand(struct disk_queue *q, const struct disk_req *req)
{
	struct disk_req write = {
		.op = DISK_WRITE, .durable = req->durable, .at = req->at, .len = req->len};

	memset(q->bounce, 0, DISK_BOUNCE);
	return move_bounced(q, &write, 0);
}

static int sync_now(struct disk_queue *q)
{
	q->host_requests++;
	return errno_if(fdatasync(q->disk->fd) < 0);
}

int disk_zero_mode(const struct disk_req *req)
{
	return FALLOC_FL_KEEP_SIZE | (req->may_unmap ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE);
}

static int zero_range(struct disk_queue *q, const struct disk_req *req)
{
	struct disk *d = q->disk;

	if (__atomic_load_n(&d->no_zero, __ATOMIC_RELAXED))
		return zero_by_hand(q, req);
	q->host_requests++;
	if (fallocate(d->fd, disk_zero_mode(req), (off_t)req->at, (off_t)req->len) < 0) {
		if (errno != EOPNOTSUPP)
			return -errno;
		__atomic_store_n(&d->no_zero, true, __ATOMIC_RELAXED);
		return zero_by_hand(q, req);
	}
	if (req->durable)
		return sync_now(q);
	return 0;
}

static int discard_range(struct disk_queue *q, const struct disk_req *req)
{
	uint64_t range[2] = {req->at, req->len};
	int r;

	q->host_requests++;
	if (q->disk->is_device)
		r = ioctl(q->disk->fd, BLKDISCARD, range);
	else
		r = fallocate(q->disk->fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
			      (off_t)req->at, (off_t)req->len);
	return errno_if(r < 0);
}

int disk_blocking(struct disk_queue *q, struct disk_req *req, uint64_t from)
{
	switch (req->op) {
	case DISK_READ:
	case DISK_WRITE:
		if (disk_in_place(q->disk, req))
			return move_in_place(q, req, from);
		return move_bounced(q, req, from);
	case DISK_FLUSH:
		return sync_now(q);
	case DISK_DISCARD:
		return discard_range(q, req);
	case DISK_ZERO:
		return zero_range(q, req);
	}
	return -EINVAL;
}
