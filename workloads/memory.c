// SPDX-License-Identifier: MIT
/* memory: first touches, dependent loads and changed protections of a working set. */
#include <errno.h>

#include "base/log.h"
#include "workloads/table.h"

static void memory_defaults(struct workload_job *job)
{
	job->mem_bytes = 64 * MIB;
	job->work = 1; /* one pass over the working set */
}

static int check_memory_job(const struct workload_job *job)
{
	if (job->mem_bytes >= 256 * KIB)
		return 0;
	log_error("memory: mem_bytes=%llu is too small; give at least 256K",
		  (unsigned long long)job->mem_bytes);
	return -EINVAL;
}

const struct workload workload_memory = {
	.name = "memory",
	.summary = "first touch, TLB misses and page-table updates",
	.guests = GUEST_LINUX | GUEST_MICRO | GUEST_NONE,
	.metrics = "first_touch_ns tlb_miss_ns pt_update_ns exits",
	.defaults = memory_defaults,
	.check = check_memory_job,
};
