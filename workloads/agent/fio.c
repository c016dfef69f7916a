// SPDX-License-Identifier: MIT
/*
 * tool=fio: Debian's fio in the same places, as an independent check of our engine. The window lies within
 * fio's own run: it opens when the device has begun to count and the warm-up is over. Requests are those that
 * the device counts meanwhile (of a file, which counts nothing, fio's own rate); latency is fio's.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "workloads/agent/disk.h"
#include "workloads/agent/tool.h"
#include "workloads/blk_load.h"

#define START_NS      (50 * NSEC_PER_SEC) /* its 80 MiB of libraries, in a lab */
#define HOST_START_NS (300 * NSEC_PER_MSEC)
#define AFTER_NS      NSEC_PER_SEC /* that it runs on when the window has closed */

struct fio_args {
	char file[96], depth[32], submit[48], complete[48], bytes[32], area[32], mix[32], runtime[40];
	char *argv[26];
};

static const char *fio_pattern(const struct workload_job *job, const struct blk_shape *shape)
{
	if (shape->sync)
		return "--rw=randwrite";
	if (!job->write_pct)
		return shape->sequential ? "--rw=read" : "--rw=randread";
	return shape->sequential ? "--rw=rw" : "--rw=randrw";
}

static void build_args(const struct agent *a, const struct disk *d, struct fio_args *f)
{
	const struct workload_job *job = &a->job;
	const struct blk_shape *shape = blk_shape_find(job->workload);
	uint64_t area = or_usual(job->area, d->sectors * BLK_SECTOR);
	uint64_t depth = or_usual(job->depth, shape->depth);
	const char *const fixed[] = {
		"fio", "--name=exitlab", "--direct=1", "--ioengine=io_uring", "--thread", "--time_based",
		"--output-format=json", "--lat_percentiles=1", "--clat_percentiles=0", "--randrepeat=1",
		"--norandommap", "--iodepth_batch_complete_min=1", fio_pattern(job, shape), f->file, f->depth,
		f->submit, f->complete, f->bytes, f->area, f->mix, f->runtime,
		shape->sync ? "--fdatasync=1" : NULL, NULL};

	snprintf(f->file, sizeof(f->file), "--filename=%s", d->path);
	/* As our engine: all that came back is asked for anew in one call, and a block may come twice. */
	snprintf(f->depth, sizeof(f->depth), "--iodepth=%" PRIu64, depth);
	snprintf(f->submit, sizeof(f->submit), "--iodepth_batch_submit=%" PRIu64, depth);
	snprintf(f->complete, sizeof(f->complete), "--iodepth_batch_complete_max=%" PRIu64, depth);
	snprintf(f->bytes, sizeof(f->bytes), "--bs=%" PRIu64, or_usual(job->msg_size, shape->bytes));
	snprintf(f->area, sizeof(f->area), "--size=%" PRIu64, (uint64_t)MIN(area, d->sectors * BLK_SECTOR));
	snprintf(f->mix, sizeof(f->mix), "--rwmixwrite=%" PRIu64, job->write_pct);
	snprintf(f->runtime, sizeof(f->runtime), "--runtime=%" PRIu64 "ms",
		 (uint64_t)((job->warmup_ns + job->duration_ns + AFTER_NS) / NSEC_PER_MSEC));
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		f->argv[i] = (char *)fixed[i];
}

static uint64_t requests(const struct disk_count *c)
{
	return c->reads + c->writes + c->discards + c->flushes;
}

/* Its first request, and then the warm-up. On the machine itself it has begun in no time, seen or not. */
static int wait_for_load(const struct agent *a, const struct disk *d)
{
	struct disk_count first = disk_count(d), now = first;
	uint64_t until = clock_ns() + (a->vm ? START_NS : HOST_START_NS);

	while (requests(&now) == requests(&first) && clock_ns() < until) {
		clock_sleep_ns(5 * NSEC_PER_MSEC);
		now = disk_count(d);
	}
	if (a->vm && requests(&now) == requests(&first))
		return agent_fail(-ETIMEDOUT, "fio: not one request in time");
	clock_sleep_ns(a->job.warmup_ns);
	return 0;
}

/* The number behind key in a section of fio's output ("read", "write"); 0 when absent. */
static double fio_number(const char *json, const char *section, const char *key)
{
	const char *at = strstr(json, section);

	at = at ? strstr(at, key) : NULL;
	return at ? strtod(at + strlen(key), NULL) : 0;
}

static int report_fio(const struct window *w, const struct disk_count *c,
		      const char *json)
{
	static const char iops[] = "\"iops\" :", median[] = "\"50.000000\" :", p99[] = "\"99.000000\" :";
	double reads = fio_number(json, "\"read\" :", iops), writes = fio_number(json, "\"write\" :", iops);
	const char *most = reads > writes ? "\"read\" :" : "\"write\" :";
	double ns = (double)window_ns(w), counted = (double)(c->reads + c->writes - c->flushes);

	if (reads + writes <= 0)
		return agent_fail(-EIO, "fio: %.160s", json);
	report_metric("iops", counted > 0 ? counted * 1e9 / ns : reads + writes);
	if (counted > 0) {
		/* A flush counts as a write of nothing, too: see report_device of blk.c. */
		report_metric("ios", (double)(requests(c) - c->flushes));
		report_metric("flushes", (double)c->flushes);
		report_metric("throughput_bps", (double)(c->sectors * BLK_SECTOR) * 8e9 / ns);
	}
	report_metric("latency_ns", fio_number(json, most, median));
	report_metric("latency_p99_ns", fio_number(json, most, p99));
	return 0;
}

static struct disk_count count_between(const struct disk_count *a, const struct disk_count *b)
{
	return (struct disk_count){b->reads - a->reads, b->writes - a->writes, b->discards - a->discards,
				   b->flushes - a->flushes, b->sectors - a->sectors};
}

/* fio runs: the window within, then what it says. */
static int measure_fio(struct agent *a, const struct disk *d, pid_t pid, int fd, struct strbuf *json)
{
	struct disk_count before, after;
	struct window w = {.worker = pid};
	int err = wait_for_load(a, d);

	if (err)
		return err;
	before = disk_count(d);
	window_open(a, &w);
	clock_sleep_ns(a->job.duration_ns);
	window_close(a, &w);
	after = disk_count(d);
	err = tool_collect(fd, pid, "fio", json);
	if (err)
		return err;
	after = count_between(&before, &after);
	err = report_fio(&w, &after, strbuf_str(json));
	if (!err)
		window_report(a, &w, 0);
	return err;
}

int fio_run(struct agent *a, const struct disk *d)
{
	struct strbuf json = STRBUF_INIT;
	struct fio_args f;
	int pipefd[2], err;
	pid_t pid;

	if (pipe2(pipefd, O_CLOEXEC))
		return agent_fail(-errno, "pipe: %s", strerror(errno));
	disk_set_queue(a, d);
	build_args(a, d, &f);
	agent_ready(a);
	pid = tool_start(f.argv, pipefd[1]);
	close(pipefd[1]);
	err = measure_fio(a, d, pid, pipefd[0], &json);
	close(pipefd[0]);
	strbuf_free(&json);
	return err;
}
