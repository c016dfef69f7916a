// SPDX-License-Identifier: MIT
#include "workloads/agent/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "workloads/agent/agent.h"

pid_t tool_start(char *const argv[], int out)
{
	pid_t pid = fork();

	if (!pid) {
		int null = open("/dev/null", O_RDWR);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(null, 0);
		dup2(null, 1);
		if (out < 0)
			dup2(null, 2);
		else
			dup2(out, 1);
		execvp(argv[0], argv);
		_exit(127);
	}
	return pid;
}

int tool_collect(int fd, pid_t pid, const char *name, struct strbuf *out)
{
	char chunk[4096];
	ssize_t n;
	int status = 0;

	while ((n = fd_read_full(fd, chunk, sizeof(chunk))) > 0)
		strbuf_add(out, chunk, (size_t)n);
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return agent_fail(-ENOENT, "%s is not there; install Debian's", name);
	return 0;
}
