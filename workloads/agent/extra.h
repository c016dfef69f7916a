/* SPDX-License-Identifier: MIT */
/*
 * A regression made to order: built with -DEXTRA_PORT_READ, the agent reads a port once per transaction,
 * and the deterministic lab has to find exactly that many exits more (tests/soak/deterministic.sh).
 */
#ifndef WORKLOADS_AGENT_EXTRA_H
#define WORKLOADS_AGENT_EXTRA_H

#ifdef EXTRA_PORT_READ
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

static inline void extra_port_read(void)
{
	static int fd = -1;
	uint8_t byte;

	if (fd < 0)
		fd = open("/dev/port", O_RDONLY | O_CLOEXEC);
	if (pread(fd, &byte, 1, 0x0e11) != 1)
		_exit(1);
}
#else
static inline void extra_port_read(void)
{
}
#endif

#endif
