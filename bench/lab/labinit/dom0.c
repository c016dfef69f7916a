// SPDX-License-Identifier: MIT
/* What a Xen host has running: the store, who answers for consoles, and what the tools expect to find. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/lab/labinit/init.h"

static bool is_dom0(void)
{
	char type[8] = "";
	int fd = open("/sys/hypervisor/type", O_RDONLY | O_CLOEXEC);
	bool xen = fd >= 0 && read(fd, type, sizeof(type)) >= 3 && !memcmp(type, "xen", 3);

	if (fd >= 0)
		close(fd);
	return xen;
}

/* Each of them returns when it is done, or when the daemon that it leaves behind is ready. */
static void run_tool(char *const argv[])
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		execv(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		fail("start", argv[0]);
	errno = ECHILD;
	if (status)
		fail("start", argv[0]);
}

void dom0_start(void)
{
	static const char *const dirs[] = {"/var/lib/xen", "/var/log/xen", "/run/xen", "/run/xenstored",
					   "/run/lock",	   "/var/lock"};
	static char *const tools[][5] = {
		{"/usr/sbin/xenstored", "--pid-file", "/run/xenstored.pid"},
		{"/usr/bin/xenstore-write", "/local/domain/0/domid", "0"},
		{"/usr/sbin/xen-init-dom0"},
		{"/usr/sbin/xenconsoled", "--pid-file=/run/xenconsoled.pid"},
	};

	if (!is_dom0())
		return;
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		make_dirs(dirs[i]);
	/* By its old name, which a root file system brings along, and a sealed lab has none. */
	if (symlink("/run", "/var/run") && errno != EEXIST)
		fail("make", "/var/run");
	if (mount("xenfs", "/proc/xen", "xenfs", 0, NULL))
		fail("mount", "/proc/xen");
	for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++)
		run_tool(tools[i]);
}
