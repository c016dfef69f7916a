// SPDX-License-Identifier: MIT
/* engine=sync: each request is a system call that waits. */
#include "vmm/block/disk_priv.h"

static int sync_open(struct disk_queue *q)
{
	(void)q;
	return 0;
}

static void sync_close(struct disk_queue *q)
{
	(void)q;
}

static void sync_start(struct disk_queue *q, struct disk_req *req)
{
	disk_ended(q, req, disk_result(req, disk_blocking(q, req, 0)));
}

static void sync_push(struct disk_queue *q)
{
	(void)q;
}

static void sync_collect(struct disk_queue *q, bool wait)
{
	(void)q;
	(void)wait;
}

static bool sync_arm(struct disk_queue *q)
{
	(void)q;
	return false;
}

static int sync_fd(const struct disk_queue *q)
{
	(void)q;
	return -1;
}

const struct disk_engine disk_engine_sync = {
	.name = "sync",
	.open = sync_open,
	.close = sync_close,
	.start = sync_start,
	.push = sync_push,
	.collect = sync_collect,
	.arm = sync_arm,
	.fd = sync_fd,
};
