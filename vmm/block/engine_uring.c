// SPDX-License-Identifier: MIT
/*
 * engine=io_uring: one system call hands any number of requests over and takes what has ended
 * meanwhile back; what ends later is seen in shared memory.
 *
 * The ring is made for one thread, and its completions are run when that thread asks
 * (DEFER_TASKRUN): none of them interrupts it amid its work. It is restricted to reads, writes,
 * flushes and ranges of the one registered file, so that whoever takes the thread over cannot make
 * it do more.
 */
#include <errno.h>
#include <liburing.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/log.h"
#include "vmm/block/disk_priv.h"

#define RING_MIN 8u
#define RING_MAX 4096u
#define THE_FILE 0 /* index of the registered file */

struct uring {
	struct io_uring ring;
	int eventfd; /* readable when something has ended while the thread sleeps */
	bool armed;
	bool enabled, refused; /* on the thread that uses it */
};

static struct io_uring *ring_of(const struct disk_queue *q)
{
	struct uring *u = q->engine_data;

	return &u->ring;
}

/*
 * Completions write to the eventfd only when asked to. The ring's own descriptor would not do:
 * newer kernels wake its pollers not before the completions are run, which nobody would then do.
 */
static void uring_wish(struct uring *u, bool event)
{
	if (u->armed != event)
		io_uring_cq_eventfd_toggle(&u->ring, event);
	u->armed = event;
}

/* Older kernels know less; the ring is the same but for the time at which completions are run. */
static int ring_create(struct io_uring *ring, unsigned entries)
{
	static const unsigned flags[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		0,
	};
	int err = -EINVAL;

	for (size_t i = 0; i < ARRAY_SIZE(flags) && err == -EINVAL; i++)
		err = io_uring_queue_init(entries, ring, flags[i] | IORING_SETUP_R_DISABLED);
	return err;
}

static int ring_restrict(struct io_uring *ring)
{
	static const uint8_t ops[] = {IORING_OP_READ,  IORING_OP_WRITE, IORING_OP_READV,
				      IORING_OP_WRITEV, IORING_OP_FSYNC, IORING_OP_FALLOCATE};
	struct io_uring_restriction r[ARRAY_SIZE(ops) + 1] = {
		[ARRAY_SIZE(ops)] = {.opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED,
				     .sqe_flags = IOSQE_FIXED_FILE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		r[i] = (struct io_uring_restriction){.opcode = IORING_RESTRICTION_SQE_OP,
						     .sqe_op = ops[i]};
	return io_uring_register_restrictions(ring, r, ARRAY_SIZE(r));
}

static const char *uring_advice(int err)
{
	if (err == EPERM)
		return "; see /proc/sys/kernel/io_uring_disabled, or use engine=sync";
	return err == ENOMEM ? "; raise the limit of locked memory, or use engine=sync"
			     : "; use engine=sync";
}

static int ring_set_up(struct uring *u, int fd)
{
	int err = io_uring_register_files(&u->ring, &fd, 1);

	if (!err)
		err = io_uring_register_eventfd(&u->ring, u->eventfd);
	if (!err)
		err = ring_restrict(&u->ring);
	if (err)
		io_uring_queue_exit(&u->ring);
	return err;
}

static int uring_open(struct disk_queue *q)
{
	unsigned entries = MAX(RING_MIN, MIN(q->depth, RING_MAX));
	struct uring *u = calloc(1, sizeof(*u));
	int err;

	if (!u)
		return -ENOMEM;
	u->armed = true;
	u->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = u->eventfd < 0 ? -errno : ring_create(&u->ring, entries);
	if (!err)
		err = ring_set_up(u, q->disk->fd);
	if (err) {
		log_error("%s: io_uring: %s%s", q->disk->dev_name, strerror(-err),
			  uring_advice(-err));
		close_fd(&u->eventfd);
		free(u);
		return err;
	}
	q->engine_data = u;
	return 0;
}

static void uring_close(struct disk_queue *q)
{
	struct uring *u = q->engine_data;

	if (!u)
		return;
	io_uring_queue_exit(&u->ring);
	close_fd(&u->eventfd);
	free(u);
}

/* The ring belongs to the thread that enables it: the first that has something to do with it. */
static bool uring_enable(struct disk_queue *q)
{
	struct uring *u = q->engine_data;
	int err;

	if (u->enabled || u->refused)
		return u->enabled;
	err = io_uring_enable_rings(&u->ring);
	u->enabled = !err;
	u->refused = err;
	if (err)
		log_warn("%s: io_uring: %s; requests wait for each other instead",
			 q->disk->dev_name, strerror(-err));
	return u->enabled;
}

static void prepare_move(struct io_uring_sqe *sqe, const struct disk_req *req)
{
	bool one = req->n_iov == 1; /* saves the kernel a copy of the vector */

	if (req->op == DISK_READ && one)
		io_uring_prep_read(sqe, THE_FILE, req->iov->iov_base, (unsigned)req->iov->iov_len,
				   req->at);
	else if (req->op == DISK_READ)
		io_uring_prep_readv(sqe, THE_FILE, req->iov, req->n_iov, req->at);
	else if (one)
		io_uring_prep_write(sqe, THE_FILE, req->iov->iov_base, (unsigned)req->iov->iov_len,
				    req->at);
	else
		io_uring_prep_writev(sqe, THE_FILE, req->iov, req->n_iov, req->at);
	if (req->durable)
		sqe->rw_flags = RWF_DSYNC;
}

static void uring_push(struct disk_queue *q)
{
	struct io_uring *ring = ring_of(q);

	/*
	 * Memory that is short for a moment, or a full completion ring: what has ended makes room.
	 */
	while (io_uring_sq_ready(ring))
		if (io_uring_submit_and_get_events(ring) < 0)
			sched_yield();
}

static struct io_uring_sqe *free_sqe(struct disk_queue *q)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring_of(q));

	if (sqe)
		return sqe;
	uring_push(q);
	return io_uring_get_sqe(ring_of(q));
}

static void uring_start(struct disk_queue *q, struct disk_req *req)
{
	struct io_uring_sqe *sqe;

	if (!uring_enable(q)) {
		disk_ended(q, req, disk_result(req, disk_blocking(q, req, 0)));
		return;
	}
	sqe = free_sqe(q);
	switch (req->op) {
	case DISK_READ:
	case DISK_WRITE:
		prepare_move(sqe, req);
		break;
	case DISK_FLUSH:
		io_uring_prep_fsync(sqe, THE_FILE, IORING_FSYNC_DATASYNC);
		break;
	case DISK_ZERO:
	case DISK_DISCARD: /* never: it blocks */
		io_uring_prep_fallocate(sqe, THE_FILE, disk_zero_mode(req), (off_t)req->at,
					(off_t)req->len);
		break;
	}
	sqe->flags |= IOSQE_FIXED_FILE;
	io_uring_sqe_set_data(sqe, req);
	q->host_requests++;
}

/* Completions that the kernel holds back until we ask, and those that found the ring full. */
static bool kernel_has_more(const struct io_uring *ring)
{
	return IO_URING_READ_ONCE(*ring->sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

static void uring_collect(struct disk_queue *q, bool wait)
{
	struct io_uring *ring = ring_of(q);
	struct io_uring_cqe *cqe;
	unsigned head, n = 0;

	uring_wish(q->engine_data, false);
	if (wait && !q->ended.first)
		io_uring_wait_cqe(ring, &cqe);
	else if (kernel_has_more(ring))
		io_uring_get_events(ring);
	io_uring_for_each_cqe(ring, head, cqe) {
		disk_ended(q, io_uring_cqe_get_data(cqe), cqe->res);
		n++;
	}
	io_uring_cq_advance(ring, n);
}

static bool uring_arm(struct disk_queue *q)
{
	struct io_uring *ring = ring_of(q);

	uring_wish(q->engine_data, true);
	/* The wish must be out before the ring is looked at again. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return kernel_has_more(ring) || io_uring_cq_ready(ring);
}

static int uring_fd(const struct disk_queue *q)
{
	struct uring *u = q->engine_data;

	return u->eventfd;
}

const struct disk_engine disk_engine_uring = {
	.name = "io_uring",
	.open = uring_open,
	.close = uring_close,
	.start = uring_start,
	.push = uring_push,
	.collect = uring_collect,
	.arm = uring_arm,
	.fd = uring_fd,
};
