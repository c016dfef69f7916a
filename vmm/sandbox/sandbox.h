/* SPDX-License-Identifier: MIT */
/*
 * What a program of ours gives up once all that it needs is open, so that a guest that breaks into it finds
 * nothing to take: another user, no capability, no new privileges, empty mount and network namespaces (one
 * without a network that it was started in stays), a Landlock domain without a path, limits on files, and on
 * each thread a filter of system calls.
 *
 *      set-up, one thread    sandbox_enter    threads_start    sandbox_thread on each, main last
 *
 * A thread that calls what its kind may not ends the process, with a line that names thread and call.
 */
#ifndef VMM_SANDBOX_SANDBOX_H
#define VMM_SANDBOX_SANDBOX_H

#include <stddef.h>
#include "vmm/core/threads.h"

/* Of --sandbox: the sanitizers need system calls of their own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANDBOX_DEFAULT "off"
#else
#define SANDBOX_DEFAULT "on"
#endif

/* System calls and ioctls beyond those that every thread of its kind may make; from the devices there are. */
enum sandbox_part {
	SANDBOX_VFIO = 1 << 0,       /* registers of an assigned device */
	SANDBOX_VHOST_USER = 1 << 1, /* messages with file descriptors */
	SANDBOX_SERVER = 1 << 2,     /* a process that accepts front-ends, and maps their memory */
	SANDBOX_DISK = 1 << 3,       /* files and io_uring */
	SANDBOX_VHOST_SCSI = 1 << 4, /* a target of the kernel */
	SANDBOX_VDPA = 1 << 5,       /* a device of the kernel's that speaks virtio */
};

/*
 * Everything but the filters. What needs a privilege that the caller has not (namespaces, another user) is
 * left out and said at level debug. 0 or -errno (logged).
 */
int sandbox_enter(void);
/*
 * The filter of this thread, for struct threads: arg is a set of enum sandbox_part. Ends the process
 * when it fails.
 */
void sandbox_thread(void *parts, enum thread_kind kind);

#endif
