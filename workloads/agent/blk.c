// SPDX-License-Identifier: MIT
/*
 * The block workloads: the load of both guests through io_uring, past the page cache. What the device was
 * asked is read from its own counters just outside the window, when nothing is in flight.
 */
#include <errno.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/clock.h"
#include "workloads/agent/disk.h"
#include "workloads/agent/uring.h"
#include "workloads/blk_load.h"

#define BUFFER_ALIGN 4096

/* A disk and what is in flight on it. */
struct target {
	struct blk blk;
	struct disk disk;
	struct uring ring;
	uint64_t sector[BLK_SLOTS];
	unsigned sectors[BLK_SLOTS];
	enum blk_op op[BLK_SLOTS];
	int err; /* of io_uring itself */
};

/* ---- requests ---- */

static void disk_start(struct blk *b, unsigned slot, enum blk_op op, uint64_t sector, unsigned sectors,
		       void *buf)
{
	static const uint8_t opcode[] = {IORING_OP_READ, IORING_OP_WRITE, IORING_OP_FSYNC};
	struct target *d = b->priv;
	struct io_uring_sqe *e = uring_next(&d->ring);

	d->op[slot] = op;
	d->sector[slot] = sector;
	d->sectors[slot] = sectors;
	e->fd = d->disk.fd;
	e->user_data = slot;
	e->opcode = opcode[op];
	if (op == BLK_FLUSH) {
		e->fsync_flags = IORING_FSYNC_DATASYNC;
		return;
	}
	e->addr = (uint64_t)(uintptr_t)buf;
	e->len = sectors * BLK_SECTOR;
	e->off = sector * BLK_SECTOR;
}

static bool disk_result_ok(const struct target *d, unsigned slot, int res)
{
	if (d->op[slot] == BLK_FLUSH)
		return !res;
	return res == (int)(d->sectors[slot] * BLK_SECTOR);
}

static void disk_turn(struct blk *b, uint64_t until, blk_done_fn fn, void *arg)
{
	struct target *d = b->priv;
	const struct io_uring_cqe *c = uring_peek(&d->ring);
	int err = uring_enter(&d->ring, !c, until);

	if (err && !d->err)
		d->err = err;
	while ((c = uring_peek(&d->ring))) {
		unsigned slot = (unsigned)c->user_data % BLK_SLOTS;
		int res = c->res;

		uring_seen(&d->ring);
		fn(arg, slot, disk_result_ok(d, slot, res));
	}
}

/* The io_uring of Linux 6.1 cannot discard: one at a time, as the workload asks for by default. */
static void discard_start(struct blk *b, unsigned slot, enum blk_op op, uint64_t sector, unsigned sectors,
			  void *buf)
{
	struct target *d = b->priv;

	(void)op;
	(void)buf;
	d->sector[slot] = sector;
	d->sectors[slot] = sectors;
}

static void discard_turn(struct blk *b, uint64_t until, blk_done_fn fn, void *arg)
{
	struct target *d = b->priv;
	uint64_t range[2] = {d->sector[0] * BLK_SECTOR, (uint64_t)d->sectors[0] * BLK_SECTOR},
		 now = clock_ns();

	if (d->sectors[0]) {
		d->sectors[0] = 0;
		fn(arg, 0, !ioctl(d->disk.fd, BLKDISCARD, range));
	} else if (until > now) {
		clock_sleep_ns(until - now);
	}
}

static const struct blk_ops disk_ops = {"io_uring", disk_start, disk_turn};
static const struct blk_ops discard_ops = {"ioctl", discard_start, discard_turn};

/* ---- the window ---- */

static void keep_latency(void *hist, uint64_t ns)
{
	hist_add(hist, ns);
}


/* What does not count has counted nothing at all, ever: then it is the requests that were made. */
static bool device_counts(const struct disk_count *after)
{
	return after->sectors;
}

/* Linux counts a flush that carries no data as a write of nothing, besides the flush that the disk gets. */
static void report_device(const struct blk_load *l, const struct disk_count *a, const struct disk_count *b)
{
	uint64_t moved = b->reads - a->reads + b->writes - a->writes + b->discards - a->discards;
	uint64_t flushes = b->flushes - a->flushes;
	bool counts = device_counts(b);

	if (flushes) /* else the disk has no cache, and a flush ended before it was counted */
		moved = sub_floor(moved, l->flushes);
	report_metric("ios", (double)(counts ? moved + flushes : l->ios));
	report_metric("flushes", (double)(counts ? flushes : l->flushes));
	if (moved)
		report_metric("io_bytes", (double)((b->sectors - a->sectors) * BLK_SECTOR) / (double)moved);
}

/* The device has moved what the job asked for, and nobody else had anything of it. */
static int check_device(const struct target *d, const struct blk_load *l, const struct disk_count *a,
			const struct disk_count *b)
{
	uint64_t device = b->sectors - a->sectors, job = l->ops * l->sectors;

	if (!device_counts(b) || device == job)
		return 0;
	return agent_fail(-EIO, "disk %s counts %llu sectors, the job %llu", d->disk.path,
			  (unsigned long long)device, (unsigned long long)job);
}

static int load_memory(struct blk_load *l)
{
	size_t len = (size_t)l->sectors * BLK_SECTOR;
	uint8_t *buf = aligned_alloc(BUFFER_ALIGN, align_up(len, BUFFER_ALIGN) * l->depth);

	if (l->verify)
		l->written = calloc(l->places, sizeof(*l->written));
	if (!buf || (l->verify && !l->written))
		return agent_fail(-ENOMEM, "disk: no memory for the buffers");
	memset(buf, 0x5a, align_up(len, BUFFER_ALIGN) * l->depth);
	for (unsigned i = 0; i < l->depth; i++)
		l->slot[i].buf = buf + i * align_up(len, BUFFER_ALIGN);
	return 0;
}

static int load_failed(const struct target *d, const struct blk_load *l)
{
	if (d->err)
		return agent_fail(d->err, "disk %s: io_uring: %s", d->disk.path, strerror(-d->err));
	if (l->wrong)
		return agent_fail(-EBADMSG, "disk: sector %llu: %s", (unsigned long long)l->wrong_at,
				  l->wrong);
	return 0;
}

static int measure_disk(struct agent *a, struct target *d, struct blk_load *l, const struct hist *h)
{
	struct disk_count before, after;
	struct window w = {0};
	int err;

	if (l->verify)
		blk_load_prepare(l);
	if (!l->wrong)
		blk_load_run(l, a->job.warmup_ns, 0);
	agent_ready(a);
	before = disk_count(&d->disk);
	window_open(a, &w);
	l->measuring = true;
	if (!l->wrong)
		blk_load_run(l, a->job.duration_ns, a->job.work);
	l->measuring = false;
	window_close(a, &w);
	after = disk_count(&d->disk);
	err = load_failed(d, l);
	if (!err)
		err = check_device(d, l, &before, &after);
	if (err)
		return err;
	report_metric("iops", (double)l->ops * 1e9 / (double)window_ns(&w));
	report_metric("throughput_bps",
		      (double)(l->ops * l->sectors * BLK_SECTOR) * 8e9 / (double)window_ns(&w));
	report_device(l, &before, &after);
	report_latency(h);
	window_report(a, &w, l->ops);
	return 0;
}

/* ---- blk-rebind ---- */

/* The driver leaves while as many requests are under way as may be, and comes back; so does the disk. */
static int rebind_once(struct agent *a, struct target *d, struct blk_load *l, const struct disk_driver *dr)
{
	uint64_t sectors = d->disk.sectors;
	int err;

	blk_load_begin(l);
	err = driver_switch(dr->driver, dr->device, false);
	blk_load_end(l);
	disk_close(&d->disk);
	d->disk = (struct disk)DISK_INIT;
	if (!err)
		err = driver_switch(dr->driver, dr->device, true);
	if (err)
		return agent_fail(err, "%s: unbind and bind: %s", dr->device, strerror(-err));
	err = disk_open(a, &d->disk);
	if (!err && d->disk.sectors != sectors)
		err = agent_fail(-EIO, "disk %s has come back with %llu sectors instead of %llu", d->disk.path,
				 (unsigned long long)d->disk.sectors, (unsigned long long)sectors);
	return err;
}

static int rebind_round(struct agent *a, struct target *d, struct blk_load *l, const struct disk_driver *dr)
{
	int err;

	blk_load_run(l, a->job.warmup_ns, 0);
	err = load_failed(d, l);
	if (!err)
		err = rebind_once(a, d, l, dr);
	if (err)
		return err;
	disk_set_queue(a, &d->disk);
	if (l->verify)
		blk_load_verify(l);
	return load_failed(d, l);
}

static int rebind_disk(struct agent *a, struct target *d, struct blk_load *l)
{
	struct disk_driver dr = {NULL, NULL};
	struct window w = {0};
	int err;

	if (l->verify)
		blk_load_prepare(l);
	err = disk_find_driver(&d->disk, &dr);
	agent_ready(a);
	window_open(a, &w);
	l->measuring = true;
	for (uint64_t i = 0; i < a->job.rounds && !err; i++) {
		err = rebind_round(a, d, l, &dr);
		report_note("round %llu of %llu", (unsigned long long)i + 1,
			    (unsigned long long)a->job.rounds);
		report_flush(); /* inside the window, but nothing is measured in this one */
	}
	l->measuring = false;
	window_close(a, &w);
	free(dr.driver);
	free(dr.device);
	if (err)
		return err;
	report_metric("checked_blocks", (double)l->compared);
	report_metric("failed_requests", (double)l->failed);
	window_report(a, &w, l->ops);
	return 0;
}

static bool job_rebinds(const struct agent *a)
{
	return !strcmp(a->job.workload, "blk-rebind");
}

static int run_on_disk(struct agent *a, struct target *d)
{
	struct hist h;
	struct blk_load l = {
		.blk = &d->blk, .now = clock_ns, .second = NSEC_PER_SEC, .sample = keep_latency, .arg = &h};
	const char *wrong = blk_load_init(&l, &a->job);
	int err;

	if (wrong)
		return agent_fail(-EINVAL, "%s: %s", a->job.workload, wrong);
	err = uring_open(&d->ring, BLK_SLOTS);
	if (err)
		return agent_fail(err, "io_uring: %s", strerror(-err));
	hist_init(&h);
	err = load_memory(&l);
	disk_set_queue(a, &d->disk);
	report_note("disk %s, %llu MiB, depth %u, %u bytes", d->disk.path,
		    (unsigned long long)(d->blk.sectors / 2048), l.depth, l.sectors * BLK_SECTOR);
	if (!err && job_rebinds(a))
		err = rebind_disk(a, d, &l);
	else if (!err)
		err = measure_disk(a, d, &l, &h);
	free(l.slot[0].buf);
	free(l.written);
	return err;
}

static void target_init(const struct agent *a, struct target *d)
{
	d->blk = (struct blk){
		.ops = &disk_ops,
		.sectors = d->disk.sectors,
		.slots = BLK_SLOTS,
		.max_sectors = 16 * MIB / BLK_SECTOR,
		.flush = true,
		.discard = true,
		.priv = d,
	};
	if (strcmp(a->job.workload, "blk-discard"))
		return;
	d->blk.ops = &discard_ops;
	d->blk.slots = 1;
}

int run_blk(struct agent *a)
{
	struct target d = {.disk = DISK_INIT, .ring = {.fd = -1}};
	int err = disk_open(a, &d.disk);

	if (err)
		goto out;
	target_init(a, &d);
	if (a->job.tool == JOB_FIO)
		err = fio_run(a, &d.disk);
	else
		err = run_on_disk(a, &d);
	uring_close(&d.ring);
out:
	disk_close(&d.disk);
	return err;
}
