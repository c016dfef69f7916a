// SPDX-License-Identifier: MIT
#include "workloads/agent/peer_tools.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/proc.h"
#include "workloads/agent/tool.h"

#define TOOLS_FD 0 /* the channel: its only descriptor */

/* ---- in that process ---- */

/* " LOCAL:PORT REMOTE:0000 0A ...": state 0A is LISTEN. */
static bool listening_row(const char *at_port)
{
	const char *row_end = at_port + strcspn(at_port, "\n");
	const char *state = strstr(at_port, ":0000 0A ");

	return state && state < row_end;
}

static bool port_listens(uint16_t port)
{
	static const char *const tables[] = {"/proc/net/tcp6", "/proc/net/tcp"};
	char local[8];
	bool found = false;

	snprintf(local, sizeof(local), ":%04X ", port);
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		struct strbuf sb = STRBUF_INIT;

		file_read(tables[i], &sb);
		for (const char *p = strstr(strbuf_str(&sb), local); p; p = strstr(p + 1, local))
			found |= listening_row(p);
		strbuf_free(&sb);
	}
	return found;
}

static int start_iperf(uint16_t port, pid_t *pid)
{
	char number[8];
	char *argv[] = {(char *)"iperf3", (char *)"-s", (char *)"-1", (char *)"-p", number, NULL};
	uint64_t deadline = clock_ns() + 3 * NSEC_PER_SEC;

	snprintf(number, sizeof(number), "%u", port);
	*pid = tool_start(argv, -1);
	while (clock_ns() < deadline && waitpid(*pid, NULL, WNOHANG) == 0) {
		if (port_listens(port))
			return 0;
		clock_sleep_ns(5 * NSEC_PER_MSEC);
	}
	return -ENOENT;
}

static void end_tool(pid_t *pid)
{
	if (*pid > 0) {
		kill(*pid, SIGKILL);
		waitpid(*pid, NULL, 0);
	}
	*pid = 0;
}

static _Noreturn void tools_main(int channel)
{
	uint16_t port;
	pid_t pid = 0;
	int err = 0;

	proc_stand_in(channel, TOOLS_FD);
	while (!err && read(TOOLS_FD, &port, sizeof(port)) == sizeof(port)) {
		int said = 0;

		end_tool(&pid);
		if (port)
			said = start_iperf(port, &pid);
		err = errno_if(write(TOOLS_FD, &said, sizeof(said)) < 0);
	}
	end_tool(&pid);
	_exit(0);
}

/* ---- in the peer ---- */

int tools_start(void)
{
	int pair[2], err = 0;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	pid = fork();
	if (!pid)
		tools_main(pair[1]);
	if (pid < 0)
		err = -errno;
	close(pair[1]);
	if (!err)
		return pair[0];
	close(pair[0]);
	return err;
}

/* Port 0: none. */
int tools_serve(int channel, uint16_t port)
{
	int said;

	if (write(channel, &port, sizeof(port)) != sizeof(port) ||
	    read(channel, &said, sizeof(said)) != sizeof(said))
		return -EPIPE;
	return said;
}

void tools_end(int channel)
{
	tools_serve(channel, 0);
}
