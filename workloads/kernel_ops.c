// SPDX-License-Identifier: MIT
/* kernel-ops: the operations by which ways of virtualising are compared; agent/kernel_ops.c has them. */
#include <errno.h>

#include "base/log.h"
#include "workloads/table.h"

#define MOST_OPS 1000000 /* of each: a page each of page_fault's must fit into the guest */

static int check_kernel_ops_job(const struct workload_job *job)
{
	if (job->work <= MOST_OPS)
		return 0;
	log_error("kernel-ops: work=%llu operations of each kind are too many; give at most %d",
		  (unsigned long long)job->work, MOST_OPS);
	return -EINVAL;
}

const struct workload workload_kernel_ops = {
	.name = "kernel-ops",
	.summary = "what a kernel does all day: system call, page fault, fork, exec, switch, signal and others",
	.guests = GUEST_LINUX | GUEST_NONE,
	.metrics = "op_ns.syscall op_ns.page_fault op_ns.mmap op_ns.mprotect op_ns.fork op_ns.exec "
		   "op_ns.context_switch op_ns.pipe op_ns.signal op_ns.thread_wake op_ns.port_write op_ns.cpuid",
	.check = check_kernel_ops_job,
};
