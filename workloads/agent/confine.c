// SPDX-License-Identifier: MIT
/* What the peer on the host gives up once it listens: guests and strangers talk with it. */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/call_filter.h"
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

/* With any arguments. */
static const uint32_t calls[] = {
	/* Most frequent first: of traffic, of its threads, of sessions. */
	SYS_sendmsg, SYS_recvfrom, SYS_recvmmsg, SYS_sendmmsg, SYS_sendto, SYS_futex, SYS_clock_gettime,
	SYS_clock_nanosleep, SYS_poll, SYS_read, SYS_write,
	SYS_clone3, SYS_clone, SYS_set_robust_list, SYS_rseq, SYS_sched_getaffinity, SYS_rt_sigprocmask,
	SYS_exit, SYS_munmap, SYS_madvise, SYS_brk, SYS_mremap,
	SYS_accept4, SYS_bind, SYS_connect, SYS_getsockopt, SYS_setsockopt, SYS_shutdown, SYS_close,
	SYS_fstat, SYS_newfstatat, /* of stdout, at its first line */
	SYS_restart_syscall, SYS_rt_sigreturn, SYS_exit_group,
};

/* Memory that is never code; sockets that cannot listen. */
static const uint32_t protections[] = {PROT_NONE, PROT_READ | PROT_WRITE};
static const uint32_t sockets[] = {SOCK_DGRAM | SOCK_CLOEXEC};
static const uint32_t requests[] = {TCSBRK}; /* tcdrain of stdout */

static void *first_thread(void *arg)
{
	return arg;
}

/* The start of the first thread sets signal handlers, which none after it does. */
static int warm_threads(void)
{
	pthread_t thread;
	int err = -pthread_create(&thread, NULL, first_thread, NULL);

	if (!err)
		pthread_join(thread, NULL);
	return err;
}

int confine_peer_calls(void)
{
	struct call_filter f;
	int err = warm_threads();

	if (err)
		return err;
	call_filter_begin(&f);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		call_filter_allow(&f, calls[i]);
	call_filter_allow_with(&f, SYS_mmap, 2, protections, ARRAY_SIZE(protections));
	call_filter_allow_with(&f, SYS_mprotect, 2, protections, ARRAY_SIZE(protections));
	call_filter_allow_with(&f, SYS_socket, 1, sockets, ARRAY_SIZE(sockets));
	call_filter_allow_with(&f, SYS_ioctl, 1, requests, ARRAY_SIZE(requests));
	return call_filter_install(&f, "the peer");
}
