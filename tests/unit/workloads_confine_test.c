// SPDX-License-Identifier: MIT
/* What the peer on the host has left, as the kernel tells it. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
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

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(the_peer_has_little_left)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
