// SPDX-License-Identifier: MIT
/* What the peer on the host gives up once it listens: guests and strangers talk with it. */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/proc.h"
#include "workloads/agent/confine.h"

/* It is left for SO_RCVBUFFORCE: the buffers of a session's sockets are part of what is measured. */
#define KEPT (1u << CAP_NET_ADMIN)

/* Of those that we have: none but that one. */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct caps[2];

	if (syscall(SYS_capget, &head, caps))
		return -errno;
	caps[0].permitted &= KEPT;
	caps[0].effective = caps[0].permitted;
	caps[0].inheritable = 0;
	caps[1] = (struct __user_cap_data_struct){0};
	return errno_if(syscall(SYS_capset, &head, caps));
}

/* Root of a user namespace that knows no nobody (EINVAL) is its maker. */
static int become_nobody(void)
{
	if (setresgid(PROC_NOBODY, PROC_NOBODY, PROC_NOBODY))
		return errno == EINVAL ? 0 : -errno;
	if (setgroups(0, NULL) || prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
		return -errno;
	return errno_if(setresuid(PROC_NOBODY, PROC_NOBODY, PROC_NOBODY));
}

int confine_peer(void)
{
	const struct rlimit no_core = {0, 0};
	int signal = 0, err = 0;

	prctl(PR_GET_PDEATHSIG, &signal);
	setrlimit(RLIMIT_CORE, &no_core);
	if (!geteuid())
		err = become_nobody();
	if (!err)
		err = drop_capabilities();
	if (!err)
		err = errno_if(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	prctl(PR_SET_PDEATHSIG, signal); /* another user's process forgets it */
	return err;
}
