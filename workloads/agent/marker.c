// SPDX-License-Identifier: MIT
/*
 * The marker port of workloads/protocol.h, through /dev/port: it needs no mapping and no other right than
 * root's.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "workloads/agent/agent.h"

int marker_write(enum marker_op op)
{
	static int port_fd = -1;
	uint8_t value = MARKER_VALUE(op);

	if (port_fd < 0)
		port_fd = open("/dev/port", O_WRONLY | O_CLOEXEC);
	if (port_fd < 0)
		return -errno;
	return errno_if(pwrite(port_fd, &value, 1, MARKER_PORT) != 1);
}
