// SPDX-License-Identifier: MIT
/* What the peer on the host has left, as the kernel tells it. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/proc.h"
#include "workloads/agent/confine.h"

static bool status_says(const char *line)
{
	struct strbuf sb = STRBUF_INIT;
	bool found = !file_read("/proc/self/status", &sb) && strstr(strbuf_str(&sb), line);

	strbuf_free(&sb);
	return found;
}

/* 0, or the number of what it still has. */
static int confined_child(bool root)
{
	int signal = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (confine_peer())
		return 1;
	if (root && !status_says("\nUid:\t65534\t65534\t65534\t65534\n"))
		return 2;
	if (root && !status_says("\nGid:\t65534\t65534\t65534\t65534\n"))
		return 3;
	if (root && !status_says("\nGroups:\t \n"))
		return 4;
	if (!status_says(root ? "\nCapEff:\t0000000000001000\n" : "\nCapEff:\t0000000000000000\n"))
		return 5;
	if (!status_says(root ? "\nCapPrm:\t0000000000001000\n" : "\nCapPrm:\t0000000000000000\n"))
		return 6;
	if (!status_says("\nNoNewPrivs:\t1\n"))
		return 7;
	if (prctl(PR_GET_PDEATHSIG, &signal) || signal != SIGKILL)
		return 8;
	if (root && !setuid(0))
		return 9;
	return 0;
}

static void the_peer_has_little_left(void **state)
{
	bool root = geteuid() == 0;
	int status;
	pid_t child;

	(void)state;
	child = fork();
	if (!child)
		_exit(confined_child(root));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define ENDED (128 + SIGSYS)

static const struct {
	const char *name;
	long call, arg[3];
	int status; /* 0: the call was let through */
	const char *line;
} cases[] = {
	{"a file", SYS_openat, {AT_FDCWD}, ENDED,
	 "sandbox: the peer made the system call openat, which it may not: ended\n"},
	{"a program", SYS_execve, {0}, ENDED, "sandbox: the peer made the system call execve, which it may not: ended\n"},
	{"a connection", SYS_socket, {AF_INET, SOCK_STREAM | SOCK_CLOEXEC}, ENDED,
	 "sandbox: the peer made the system call socket, which it may not: ended\n"},
	{"code", SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC}, ENDED,
	 "sandbox: the peer made the system call mmap, which it may not: ended\n"},
	{"code later", SYS_mprotect, {0, 4096, PROT_READ | PROT_EXEC}, ENDED,
	 "sandbox: the peer made the system call mprotect, which it may not: ended\n"},
	{"another handler", SYS_rt_sigaction, {SIGSYS}, ENDED,
	 "sandbox: the peer made the system call number 13, which it may not: ended\n"},
	{"keys into a terminal", SYS_ioctl, {0, TIOCSTI}, ENDED,
	 "sandbox: the peer made the system call ioctl 0x5412, which it may not: ended\n"},
	{"datagrams", SYS_socket, {AF_INET, SOCK_DGRAM | SOCK_CLOEXEC}, 0, ""},
	{"memory", SYS_mprotect, {0, 0, PROT_READ | PROT_WRITE}, 0, ""},
};

static _Noreturn void calling_child(size_t i, int out)
{
	dup2(out, STDERR_FILENO);
	if (confine_peer() || confine_peer_calls())
		_exit(99);
	syscall(cases[i].call, cases[i].arg[0], cases[i].arg[1], cases[i].arg[2]);
	syscall(SYS_exit_group, 0);
	__builtin_unreachable();
}

static void the_peer_calls_for_little(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char line[200] = "";
		int fds[2], status;
		pid_t pid;

		assert_int_equal(pipe(fds), 0);
		pid = fork();
		if (!pid)
			calling_child(i, fds[1]);
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
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_peer_has_little_left),
		cmocka_unit_test(the_peer_calls_for_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
