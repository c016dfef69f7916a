// SPDX-License-Identifier: MIT
/* The agent's jobs, a row each, and how one is run. */
#include <errno.h>
#include <string.h>

#include "workloads/agent/agent.h"

#define X(symbol, name, net, job) {name, net, run_##job},
static const struct agent_workload table[] = {
#include "workloads/rows.h"
};
#undef X

const struct agent_workload *agent_workload_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (!strcmp(table[i].name, name))
			return &table[i];
	}
	return NULL;
}

int run_elsewhere(struct agent *a)
{
	return agent_fail(-ENOENT, "workload %s: the agent does not know it", a->job.workload);
}

void agent_ready(const struct agent *a)
{
	report_line("ready");
	report_flush();
	if (a->job.start_together && report_await())
		agent_say_fail("the runner did not let the guests go");
}

int agent_run(struct agent *a)
{
	const struct agent_workload *w = agent_workload_find(a->job.workload);
	int err = 0;

	if (!w)
		return run_elsewhere(a);
	/* idle brings the interface up as well when the job has an address: a quiet NIC is part of
	 * a quiet guest. */
	if (w->net || a->job.addr[0])
		err = net_setup(a);
	if (err)
		return err;
	return w->run(a);
}
