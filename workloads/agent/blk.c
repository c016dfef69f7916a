// SPDX-License-Identifier: MIT
/*
 * The block workloads: the load of both guests through io_uring, past the page cache. In a guest the disk is
 * the first that has come up; on the machine itself the job names it. What the device was asked is read from
 * its own counters just outside the window, when nothing is in flight.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "workloads/agent/agent.h"
#include "workloads/agent/uring.h"
#include "workloads/blk_load.h"

#define DISK_WAIT_NS (10 * NSEC_PER_SEC)
#define BUFFER_ALIGN 4096

struct disk {
	struct blk blk;
	struct uring ring;
	int fd;
	char *path, *sys; /* its directory in sysfs; NULL: a file */
	uint64_t sector[BLK_SLOTS];
	unsigned sectors[BLK_SLOTS];
	enum blk_op op[BLK_SLOTS];
	int err; /* of io_uring itself */
};

/* What the device has done, by its own count (Documentation/block/stat.rst). */
struct disk_count {
	uint64_t reads, writes, discards, flushes, sectors;
};

/* ---- requests ---- */

static void disk_start(struct blk *b, unsigned slot, enum blk_op op, uint64_t sector, unsigned sectors,
		       void *buf)
{
	static const uint8_t opcode[] = {IORING_OP_READ, IORING_OP_WRITE, IORING_OP_FSYNC};
	struct disk *d = b->priv;
	struct io_uring_sqe *e = uring_next(&d->ring);

	d->op[slot] = op;
	d->sector[slot] = sector;
	d->sectors[slot] = sectors;
	e->fd = d->fd;
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

static bool disk_result_ok(const struct disk *d, unsigned slot, int res)
{
	if (d->op[slot] == BLK_FLUSH)
		return !res;
	return res == (int)(d->sectors[slot] * BLK_SECTOR);
}

static void disk_turn(struct blk *b, uint64_t until, blk_done_fn fn, void *arg)
{
	struct disk *d = b->priv;
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
	struct disk *d = b->priv;

	(void)op;
	(void)buf;
	d->sector[slot] = sector;
	d->sectors[slot] = sectors;
}

static void discard_turn(struct blk *b, uint64_t until, blk_done_fn fn, void *arg)
{
	struct disk *d = b->priv;
	uint64_t range[2] = {d->sector[0] * BLK_SECTOR, (uint64_t)d->sectors[0] * BLK_SECTOR},
		 now = clock_ns();

	if (d->sectors[0]) {
		d->sectors[0] = 0;
		fn(arg, 0, !ioctl(d->fd, BLKDISCARD, range));
	} else if (until > now) {
		clock_sleep_ns(until - now);
	}
}

static const struct blk_ops disk_ops = {"io_uring", disk_start, disk_turn};
static const struct blk_ops discard_ops = {"ioctl", discard_start, discard_turn};

/* ---- the disk ---- */

/* nvme0c0n1 is a path to nvme0n1, and no disk to open. */
static bool is_disk(const char *name)
{
	if (!strncmp(name, "nvme", 4))
		return !strchr(name, 'c');
	return !strncmp(name, "vd", 2) || !strncmp(name, "sd", 2);
}

/* /dev/NAME of the first disk that there is, or NULL. */
static char *find_disk(void)
{
	DIR *dir = opendir("/sys/block");
	char *first = NULL;
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		if (!is_disk(e->d_name) || (first && strcmp(e->d_name, first + 5) > 0))
			continue;
		free(first);
		first = xasprintf("/dev/%s", e->d_name);
	}
	if (dir)
		closedir(dir);
	return first;
}

/* Its driver may still be at it. */
static char *wait_for_disk(void)
{
	uint64_t until = clock_ns() + DISK_WAIT_NS;
	char *path = find_disk();

	while ((!path || !file_exists(path)) && clock_ns() < until) {
		free(path);
		clock_sleep_ns(10 * NSEC_PER_MSEC);
		path = find_disk();
	}
	return path;
}

static void disk_size(struct disk *d, const struct stat *st)
{
	uint64_t bytes = (uint64_t)st->st_size;

	if (S_ISBLK(st->st_mode)) {
		d->sys = xasprintf("/sys/dev/block/%u:%u", major(st->st_rdev), minor(st->st_rdev));
		if (ioctl(d->fd, BLKGETSIZE64, &bytes))
			bytes = 0;
	}
	d->blk.sectors = bytes / BLK_SECTOR;
}

static int disk_open(const struct agent *a, struct disk *d)
{
	struct stat st;

	d->path = *a->job.disk ? xstrdup(a->job.disk) : wait_for_disk();
	if (!d->path)
		return agent_fail(-ENODEV, "disk: there is none");
	d->fd = open(d->path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (d->fd < 0 || fstat(d->fd, &st))
		return agent_fail(-errno, "disk %s: %s", d->path, strerror(errno));
	disk_size(d, &st);
	d->blk.ops = strcmp(a->job.workload, "blk-discard") ? &disk_ops : &discard_ops;
	d->blk.slots = d->blk.ops == &discard_ops ? 1 : BLK_SLOTS;
	d->blk.max_sectors = 16 * MIB / BLK_SECTOR;
	d->blk.flush = d->blk.discard = true;
	d->blk.priv = d;
	return 0;
}

static void disk_close(struct disk *d)
{
	uring_close(&d->ring);
	close_fd(&d->fd);
	free(d->path);
	free(d->sys);
}

/* In a guest what is measured is the device: nothing is sorted, merged or held back before it. */
static void set_queue(const struct agent *a, const struct disk *d)
{
	static const char *const settings[][2] = {{"scheduler", "none"}, {"nomerges", "2"}, {"iostats", "1"}};

	for (size_t i = 0; a->vm && d->sys && i < ARRAY_SIZE(settings); i++) {
		char *path = xasprintf("%s/queue/%s", d->sys, settings[i][0]);
		int err = file_write(path, settings[i][1]);

		if (err)
			report_note("%s: %s", path, strerror(-err));
		free(path);
	}
}

static struct disk_count count_now(const struct disk *d)
{
	struct disk_count c = {0, 0, 0, 0, 0};
	uint64_t v[17] = {0};
	char *path, *line, *end;

	if (!d->sys)
		return c;
	path = xasprintf("%s/stat", d->sys);
	line = end = file_read_line(path);
	for (size_t i = 0; i < ARRAY_SIZE(v); i++)
		v[i] = strtoull(end, &end, 10);
	c = (struct disk_count){v[0], v[4], v[11], v[15], v[2] + v[6] + v[13]};
	free(line);
	free(path);
	return c;
}

/* ---- the window ---- */

static void keep_latency(void *hist, uint64_t ns)
{
	hist_add(hist, ns);
}

static void report_latency(const struct hist *h)
{
	static const struct {
		const char *name;
		double q;
	} quantile[] = {{"latency_ns", 0.5},
			{"latency_p90_ns", 0.9},
			{"latency_p99_ns", 0.99},
			{"latency_p999_ns", 0.999}};

	for (size_t i = 0; i < ARRAY_SIZE(quantile); i++)
		report_metric(quantile[i].name, (double)hist_quantile(h, quantile[i].q));
	report_metric("latency_max_ns", (double)h->max);
	report_hist("latency_ns", h);
}

/* A file has no counters: then it is the requests that were made. */
static void report_device(const struct disk *d, const struct blk_load *l, const struct disk_count *a,
			  const struct disk_count *b)
{
	uint64_t moved = b->reads - a->reads + b->writes - a->writes + b->discards - a->discards;
	uint64_t flushes = b->flushes - a->flushes;

	report_metric("ios", (double)(d->sys ? moved + flushes : l->ios));
	report_metric("flushes", (double)(d->sys ? flushes : l->flushes));
	if (moved)
		report_metric("io_bytes", (double)((b->sectors - a->sectors) * BLK_SECTOR) / (double)moved);
}

/* The device has moved what the job asked for, and nobody else had anything of it. */
static int check_device(const struct disk *d, const struct blk_load *l, const struct disk_count *a,
			const struct disk_count *b)
{
	uint64_t device = b->sectors - a->sectors, job = l->ops * l->sectors;

	if (!d->sys || device == job)
		return 0;
	return agent_fail(-EIO, "disk %s counts %llu sectors, the job %llu", d->path,
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

static int load_failed(const struct disk *d, const struct blk_load *l)
{
	if (d->err)
		return agent_fail(d->err, "disk %s: io_uring: %s", d->path, strerror(-d->err));
	if (l->wrong)
		return agent_fail(-EBADMSG, "disk: sector %llu: %s", (unsigned long long)l->wrong_at,
				  l->wrong);
	return 0;
}

static int measure_disk(struct agent *a, struct disk *d, struct blk_load *l, const struct hist *h)
{
	struct disk_count before, after;
	struct window w = {0};
	int err;

	if (l->verify)
		blk_load_prepare(l);
	if (!l->wrong)
		blk_load_run(l, a->job.warmup_ns, 0);
	agent_ready(a);
	before = count_now(d);
	window_open(a, &w);
	l->measuring = true;
	if (!l->wrong)
		blk_load_run(l, a->job.duration_ns, a->job.work);
	l->measuring = false;
	window_close(a, &w);
	after = count_now(d);
	err = load_failed(d, l);
	if (!err)
		err = check_device(d, l, &before, &after);
	if (err)
		return err;
	report_metric("iops", (double)l->ops * 1e9 / (double)window_ns(&w));
	report_metric("throughput_bps",
		      (double)(l->ops * l->sectors * BLK_SECTOR) * 8e9 / (double)window_ns(&w));
	report_device(d, l, &before, &after);
	report_latency(h);
	window_report(a, &w, l->ops);
	return 0;
}

static int run_on_disk(struct agent *a, struct disk *d)
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
	set_queue(a, d);
	report_note("disk %s, %llu MiB, depth %u, %u bytes", d->path,
		    (unsigned long long)(d->blk.sectors / 2048), l.depth, l.sectors * BLK_SECTOR);
	if (!err)
		err = measure_disk(a, d, &l, &h);
	free(l.slot[0].buf);
	free(l.written);
	return err;
}

int run_blk(struct agent *a)
{
	struct disk d = {.fd = -1, .ring = {.fd = -1}};
	int err = disk_open(a, &d);

	if (!err)
		err = run_on_disk(a, &d);
	disk_close(&d);
	return err;
}
