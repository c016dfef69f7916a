// SPDX-License-Identifier: MIT
/* timer: how late a periodic sleep ends. */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "workloads/table.h"

static int check_timer_job(const struct workload_job *job)
{
	if (job->period_ns >= 1000)
		return 0;
	log_error("timer: period_ns=%llu is below 1000; give at least 1us",
		  (unsigned long long)job->period_ns);
	return -EINVAL;
}

const struct workload workload_timer = {
	.name = "timer",
	.summary = "periodic sleeps: how late the wake-up comes and what it costs",
	.guests = GUEST_LINUX | GUEST_MICRO | GUEST_NONE,
	.duration_ns = 2 * NSEC_PER_SEC,
	.metrics = "timer_late_ns timer_late_p99_ns exits_per_op ops_per_s",
	.check = check_timer_job,
};
