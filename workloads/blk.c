// SPDX-License-Identifier: MIT
/* The block workloads: one engine (blk_load.h), which differs in what an operation is. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "workloads/blk_load.h"
#include "workloads/table.h"

#define MAX_REQUEST (16 * MIB)
#define AREA	    (8 * MIB)

static void blk_defaults(struct workload_job *job)
{
	job->warmup_ns = 50 * NSEC_PER_MSEC;
	job->area = AREA;
}

/* blk-rebind goes by rounds. */
static bool rounds_ok(const struct workload_job *job)
{
	return job->rounds && !job->work && !job->rate && job->tool == JOB_ENGINE;
}

static int check_blk_job(const struct workload_job *job)
{
	const struct blk_shape *shape = blk_shape_find(job->workload);
	const char *wrong = NULL;

	if (job->msg_size % BLK_SECTOR || job->msg_size > MAX_REQUEST)
		wrong = "msg_size is in sectors of 512 bytes, at most 16M";
	else if (job->depth > BLK_SLOTS)
		wrong = "depth is at most 128";
	else if (job->write_pct > 100)
		wrong = "write_pct is at most 100";
	else if (!strcmp(job->workload, "blk-rebind") && !rounds_ok(job))
		wrong = "it goes rounds >= 1 with our engine in a closed loop, without fixed work";
	else if (job->write_pct && (shape->sync || shape->discard))
		wrong = "write_pct belongs to blk-latency, blk-iops and blk-throughput";
	else if (job->rate > NSEC_PER_SEC)
		wrong = "rate is operations per second, at most 1000000000";
	else if (job->streams != 1)
		wrong = "what is in flight together is depth; leave streams at 1";
	else if (job->tool == JOB_IPERF3)
		wrong = "iperf3 is for networks; use tool=engine or fio";
	else if (job->tool == JOB_FIO && (job->work || job->rate || shape->discard))
		wrong = "tool=fio runs for a duration, in a closed loop, and discards nothing";
	else if (job->tool == JOB_FIO && job->verify == JOB_VERIFY_FULL)
		wrong = "fio's blocks bear no stamps: verify=full is the engine's";
	if (wrong)
		log_error("%s: %s", job->workload, wrong);
	return wrong ? -EINVAL : 0;
}

#define ALL_GUESTS (GUEST_LINUX | GUEST_MICRO | GUEST_NONE)
#define PER_IO	   "exits_per_io userspace_exits_per_io kicks_per_io interrupts_per_io cpu_ns_per_io"

#define BLK_WORKLOAD(symbol, workload_name, text, numbers) \
	const struct workload workload_##symbol = {        \
		.name = workload_name,                     \
		.summary = text,                           \
		.guests = ALL_GUESTS,                      \
		.flags = WORKLOAD_BLOCK,                   \
		.duration_ns = 2 * NSEC_PER_SEC,           \
		.metrics = numbers,                        \
		.defaults = blk_defaults,                  \
		.check = check_blk_job,                    \
	}

BLK_WORKLOAD(blk_latency, "blk-latency", "one block at a time: how long each takes",
	     "latency_ns latency_p99_ns iops " PER_IO);
BLK_WORKLOAD(blk_iops, "blk-iops", "random blocks of 4 KiB, 32 in flight",
	     "iops latency_ns latency_p99_ns batch_ios queue_depth " PER_IO);
BLK_WORKLOAD(blk_throughput, "blk-throughput", "blocks of 128 KiB one after the other, 8 in flight",
	     "throughput_bps iops latency_ns batch_ios queue_depth " PER_IO);
BLK_WORKLOAD(blk_sync, "blk-sync", "a write and its flush, as a database commits",
	     "latency_ns latency_p99_ns iops flushes " PER_IO);
BLK_WORKLOAD(blk_discard, "blk-discard", "blocks of 64 KiB given back to the disk",
	     "latency_ns latency_p99_ns iops " PER_IO);

/* A check more than a measurement, as net-rebind. */
static void blk_rebind_defaults(struct workload_job *job)
{
	blk_defaults(job);
	job->write_pct = 50;
}

const struct workload workload_blk_rebind = {
	.name = "blk-rebind",
	.summary = "the guest's driver leaves and returns under verified requests",
	.guests = GUEST_LINUX,
	.flags = WORKLOAD_BLOCK,
	.metrics = "ops window_ns checked_blocks failed_requests",
	.defaults = blk_rebind_defaults,
	.check = check_blk_job,
};
