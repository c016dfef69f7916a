// SPDX-License-Identifier: MIT
/* Eventfds whose other holder means no good, and the end that comes whatever he does: class 19. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/end.h"
#include "tests/unit/held_fd.h"
#include "vmm/core/eventfd.h"

static void counts(void **state)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	(void)state;
	assert_int_equal(eventfd_drain(fd), 0);
	for (unsigned i = 0; i < 3; i++)
		eventfd_signal(fd);
	assert_int_equal(eventfd_drain(fd), 3);
	assert_int_equal(eventfd_drain(fd), 0);
	close(fd);
	assert_int_equal(eventfd_drain(fd), 0);
	eventfd_signal(fd);
}

static void never_waits(void **state)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	(void)state;
	held_empty(fd);
	assert_int_equal(eventfd_drain(fd), 0);
	held_full(fd);
	eventfd_signal(fd);
	assert_true(eventfd_drain(fd) == UINT64_MAX - 1);
	close(fd);
}

struct rival {
	int fd;
	bool stop;
};

/* Takes what we have seen, just before we do. */
static void *take(void *arg)
{
	struct rival *r = arg;
	uint64_t n;

	while (!__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE)) {
		eventfd_signal(r->fd);
		if (read(r->fd, &n, sizeof(n)) < 0)
			break;
	}
	return NULL;
}

static void a_rival_takes_it_first(void **state)
{
	struct rival r = {.fd = eventfd(0, EFD_CLOEXEC)};
	uint64_t end = clock_ns() + 300 * NSEC_PER_MSEC, one = 1;
	pthread_t thread;

	(void)state;
	alarm(20);
	assert_int_equal(pthread_create(&thread, NULL, take, &r), 0);
	while (clock_ns() < end) {
		struct pollfd p = {r.fd, POLLIN, 0};

		if (poll(&p, 1, 1) == 1)
			eventfd_drain(r.fd); /* what poll saw may be gone */
	}
	__atomic_store_n(&r.stop, true, __ATOMIC_RELEASE);
	assert_int_equal(write(r.fd, &one, sizeof(one)), sizeof(one));
	pthread_join(thread, NULL);
	close(r.fd);
}

/* A thread that hangs for good, as in a write to a counter that somebody filled. */
static void an_end_that_nobody_holds_up(void **state)
{
	int status, fds[2];
	char said[128] = "";
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (!pid) {
		dup2(fds[1], STDERR_FILENO);
		end_prepare();
		end_within(1);
		for (;;)
			pause();
	}
	close(fds[1]);
	assert_true(read(fds[0], said, sizeof(said) - 1) > 0);
	assert_non_null(strstr(said, "ended all the same"));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGTERM);
	close(fds[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts),
		cmocka_unit_test(never_waits),
		cmocka_unit_test(a_rival_takes_it_first),
		cmocka_unit_test(an_end_that_nobody_holds_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
