// SPDX-License-Identifier: MIT
/*
 * A thread in the sandbox ends its process, with a line that names the call, when it makes one that it
 * may not.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/vhost.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/sandbox/sandbox.h"

#define ENDED (128 + SIGSYS)

static const struct {
	const char *name;
	enum thread_kind kind;
	unsigned parts;
	long call, arg[3];
	int status;       /* of the process; 0: the call was let through */
	const char *line; /* that it leaves */
} cases[] = {
	{"a vCPU opens", THREAD_VCPU, 0, SYS_openat, {AT_FDCWD}, ENDED,
	 "sandbox: a vCPU made the system call openat, which it may not: ended\n"},
	{"an I/O thread makes a socket", THREAD_IO, 0, SYS_socket, {1, 1}, ENDED,
	 "sandbox: an I/O thread made the system call socket, which it may not: ended\n"},
	{"main runs a program", THREAD_MAIN, 0, SYS_execve, {0}, ENDED,
	 "sandbox: the main thread made the system call execve, which it may not: ended\n"},
	{"control maps", THREAD_CONTROL, 0, SYS_mmap, {0}, ENDED,
	 "sandbox: the control thread made the system call mmap, which it may not: ended\n"},
	{"a vCPU's other ioctl", THREAD_VCPU, 0, SYS_ioctl, {-1, KVM_GET_SREGS}, ENDED,
	 "sandbox: a vCPU made the system call ioctl 0x8138ae83, which it may not: ended\n"},
	{"main's KVM_RUN", THREAD_MAIN, 0, SYS_ioctl, {-1, KVM_RUN}, ENDED,
	 "sandbox: the main thread made the system call ioctl 0xae80, which it may not: ended\n"},
	{"a call that nobody names", THREAD_VCPU, 0, SYS_sync, {0}, ENDED,
	 "sandbox: a vCPU made the system call number 162, which it may not: ended\n"},
	{"a disk's call without a disk", THREAD_IO, 0, SYS_fdatasync, {-1}, ENDED,
	 "sandbox: an I/O thread made the system call number 75, which it may not: ended\n"},
	{"a kernel's target", THREAD_CONTROL, SANDBOX_VHOST_SCSI, SYS_ioctl,
	 {-1, (long)VHOST_SCSI_CLEAR_ENDPOINT}, 0, ""},
	{"a disk's call", THREAD_IO, SANDBOX_DISK, SYS_fdatasync, {-1}, 0, ""},
	{"polling of vhost's, when the driver starts the ring", THREAD_CONTROL, 0, SYS_ioctl,
	 {-1, (long)VHOST_SET_VRING_BUSYLOOP_TIMEOUT}, 0, ""},
	{"KVM_RUN", THREAD_VCPU, 0, SYS_ioctl, {-1, KVM_RUN}, 0, ""},
	{"a wait", THREAD_MAIN, 0, SYS_poll, {0, 0, 0}, 0, ""},
};

static _Noreturn void child(size_t i, int out)
{
	dup2(out, STDERR_FILENO);
	if (sandbox_enter())
		_exit(99);
	sandbox_thread((void *)(uintptr_t)cases[i].parts, cases[i].kind);
	syscall(cases[i].call, cases[i].arg[0], cases[i].arg[1], cases[i].arg[2]);
	syscall(SYS_exit_group, 0);
	__builtin_unreachable();
}

static void calls(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char line[200] = "";
		int fds[2], status;
		pid_t pid;

		assert_int_equal(pipe(fds), 0);
		pid = fork();
		if (!pid)
			child(i, fds[1]);
		close(fds[1]);
		if (read(fds[0], line, sizeof(line) - 1) < 0)
			fail();
		close(fds[0]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != cases[i].status ||
		    strcmp(line, cases[i].line))
			fail_msg("%s: status 0x%x, said \"%s\"", cases[i].name, status, line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(calls)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
