// SPDX-License-Identifier: MIT
#include <errno.h>
#include <sys/io.h>

#include "workloads/agent/agent.h"

int marker_write(enum marker_op op)
{
	if (ioperm(MARKER_PORT, 4, 1))
		return -errno;
	outl(MARKER_VALUE(op), MARKER_PORT);
	ioperm(MARKER_PORT, 4, 0);
	return 0;
}
