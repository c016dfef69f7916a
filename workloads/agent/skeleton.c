// SPDX-License-Identifier: MIT
/* How the guest's half of a workload looks: to be copied (CONTRIBUTING.md). Compiled, and in no table. */
#include "base/clock.h"
#include "workloads/agent/agent.h"

int run_skeleton(struct agent *a)
{
	struct window w = {0};
	uint64_t end, ops = 0;

	/* Set-up is over; nothing may be written to the serial port inside the window. */
	agent_ready(a);
	window_open(a, &w);
	end = w.open_ns + a->job.duration_ns;
	while (clock_ns() < end)
		ops++;
	window_close(a, &w);
	if (!ops)
		return agent_fail(-EIO, "skeleton: nothing was done"); /* the sample is void, never zero */
	window_report(a, &w, ops);
	return 0;
}
