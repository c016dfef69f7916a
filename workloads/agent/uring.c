// SPDX-License-Identifier: MIT
#include "workloads/agent/uring.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"

/*
 * Completions are worked on where they are waited for, which spares an interrupt of the thread (Linux 6.1);
 * older kernels go without.
 */
static int setup_ring(unsigned entries, struct io_uring_params *p)
{
	int fd;

	memset(p, 0, sizeof(*p));
	p->flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
	fd = (int)syscall(SYS_io_uring_setup, entries, p);
	if (fd >= 0 || errno != EINVAL)
		return fd;
	memset(p, 0, sizeof(*p));
	return (int)syscall(SYS_io_uring_setup, entries, p);
}

static void *map_ring(int fd, size_t len, uint64_t offset)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, (off_t)offset);

	if (p == MAP_FAILED)
		return NULL;
	return p;
}

static void find_fields(struct uring *u, const struct io_uring_params *p)
{
	char *rings = u->rings;

	u->sq_ktail = (unsigned *)(rings + p->sq_off.tail);
	u->sq_array = (unsigned *)(rings + p->sq_off.array);
	u->sq_mask = *(unsigned *)(rings + p->sq_off.ring_mask);
	u->cq_khead = (unsigned *)(rings + p->cq_off.head);
	u->cq_ktail = (unsigned *)(rings + p->cq_off.tail);
	u->cq_mask = *(unsigned *)(rings + p->cq_off.ring_mask);
	u->cqe = (struct io_uring_cqe *)(rings + p->cq_off.cqes);
	u->sq_tail = *u->sq_ktail;
}

int uring_open(struct uring *u, unsigned entries)
{
	struct io_uring_params p;

	*u = (struct uring){.fd = setup_ring(entries, &p)};
	if (u->fd < 0)
		return -errno;
	u->entries = p.sq_entries;
	u->rings_len = MAX(p.sq_off.array + p.sq_entries * sizeof(unsigned),
			   p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe));
	u->sqes_len = p.sq_entries * sizeof(*u->sqe);
	u->rings = map_ring(u->fd, u->rings_len, IORING_OFF_SQ_RING);
	u->sqe = map_ring(u->fd, u->sqes_len, IORING_OFF_SQES);
	if (!u->rings || !u->sqe || !(p.features & IORING_FEAT_SINGLE_MMAP) ||
	    !(p.features & IORING_FEAT_EXT_ARG)) {
		uring_close(u);
		return -ENOTSUP;
	}
	find_fields(u, &p);
	return 0;
}

void uring_close(struct uring *u)
{
	if (u->rings)
		munmap(u->rings, u->rings_len);
	if (u->sqe)
		munmap(u->sqe, u->sqes_len);
	close_fd(&u->fd);
}

struct io_uring_sqe *uring_next(struct uring *u)
{
	unsigned i = u->sq_tail++ & u->sq_mask;

	BUG_ON(u->to_submit == u->entries);
	u->to_submit++;
	u->sq_array[i] = i;
	memset(&u->sqe[i], 0, sizeof(u->sqe[i]));
	return &u->sqe[i];
}

int uring_enter(struct uring *u, bool wait, uint64_t until_ns)
{
	struct __kernel_timespec ts;
	struct io_uring_getevents_arg arg = {.ts = (uint64_t)(uintptr_t)&ts};
	unsigned flags = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG;
	uint64_t left = sub_floor(until_ns, clock_ns());
	long n;

	ts.tv_sec = (int64_t)MIN(left / NSEC_PER_SEC, 3600);
	ts.tv_nsec = (int64_t)(left % NSEC_PER_SEC);
	__atomic_store_n(u->sq_ktail, u->sq_tail, __ATOMIC_RELEASE);
	n = syscall(SYS_io_uring_enter, u->fd, u->to_submit, wait, flags, &arg, sizeof(arg));
	if (n >= 0)
		u->to_submit -= (unsigned)n;
	/* Nothing ended in time, or something that was handed over before waits to be reaped. */
	if (n >= 0 || errno == ETIME || errno == EINTR || errno == EBUSY)
		return 0;
	return -errno;
}

const struct io_uring_cqe *uring_peek(const struct uring *u)
{
	unsigned head = *u->cq_khead;

	if (head == __atomic_load_n(u->cq_ktail, __ATOMIC_ACQUIRE))
		return NULL;
	return &u->cqe[head & u->cq_mask];
}

void uring_seen(struct uring *u)
{
	__atomic_store_n(u->cq_khead, *u->cq_khead + 1, __ATOMIC_RELEASE);
}
