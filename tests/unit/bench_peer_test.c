// SPDX-License-Identifier: MIT
/* The door of bench peer: who is silent there keeps nobody out. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/hmac.h"
#include "base/log.h"
#include "bench/host/peer_link.h"

static const struct peer_token token = {"0123456789abcdef", 16};
static struct peer_door door;

static int setup(void **state)
{
	(void)state;
	log_init("test", -1);
	alarm(20);
	peer_door_open(&door);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	peer_door_close(&door);
	return 0;
}

/* Our end of a new caller, and the nonce that greeted it. */
static int call(char nonce[65])
{
	int fd[2];
	char line[PEER_LINE] = "";

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	peer_door_add(&door, fd[1]);
	assert_true(read(fd[0], line, sizeof(line) - 1) > 0);
	assert_int_equal(sscanf(line, "exitlab-peer 1 %64[0-9a-f]", nonce), 1);
	return fd[0];
}

static char *honest(const char *nonce, const char *key)
{
	char *text = xasprintf("run %s %064d 5201", nonce, 7), mac[HMAC_HEX], *line;

	hmac_sha256(key, strlen(key), text, mac);
	line = xasprintf("hello %064d 5201 %s\n", 7, mac);
	free(text);
	return line;
}

static void say(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static bool hung_up(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_DONTWAIT) == 0;
}

static void silence_keeps_nobody_out(void **state)
{
	char silent_nonce[65], nonce[65], *line;
	int silent = call(silent_nonce), slow = call(nonce), fd = call(nonce);
	struct pollfd fds[PEER_CALLERS];
	struct peer_caller caller;

	(void)state;
	line = honest(nonce, token.text);
	say(slow, "hello");
	assert_false(peer_door_next(&door, &token, &caller));
	say(fd, line);
	assert_true(peer_door_next(&door, &token, &caller));
	assert_int_equal(caller.port, 5201);
	assert_false(peer_door_next(&door, &token, &caller));
	assert_in_range(peer_door_wait(&door, fds), 1, 5001);
	assert_false(hung_up(silent));

	/* Their time is over. */
	for (size_t i = 0; i < PEER_CALLERS; i++)
		door.caller[i].deadline_ns = clock_ns();
	assert_false(peer_door_next(&door, &token, &caller));
	assert_true(hung_up(silent) && hung_up(slow));
	assert_int_equal(peer_door_wait(&door, fds), -1);
	free(line);
	close(caller.fd);
	close(fd);
	close(silent);
	close(slow);
}

/* However many stand there. */
static void a_crowd_keeps_nobody_out(void **state)
{
	int fd[PEER_CALLERS + 2];
	struct peer_caller caller;
	char nonce[65], *line;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fd); i++)
		fd[i] = call(nonce);
	assert_true(hung_up(fd[0]) && hung_up(fd[1]));
	assert_false(hung_up(fd[2]));
	line = honest(nonce, token.text);
	say(fd[PEER_CALLERS + 1], line);
	assert_true(peer_door_next(&door, &token, &caller));
	close(caller.fd);
	for (size_t i = 0; i < ARRAY_SIZE(fd); i++)
		close(fd[i]);
	free(line);
}

static void others_are_hung_up_on(void **state)
{
	static const char *const lines[] = {
		"hello\n", "\n", "hello 00 0 00\n", "hello 00 65536 00\n", "hello 00 5201 00\n",
		"GET / HTTP/1.1\r\n",
	};
	char nonce[65], *line, crowd[PEER_LINE];
	struct peer_caller caller;
	int fd;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		fd = call(nonce);
		say(fd, lines[i]);
		assert_false(peer_door_next(&door, &token, &caller));
		assert_true(hung_up(fd));
		close(fd);
	}
	fd = call(nonce);
	line = honest(nonce, "another token of ours");
	say(fd, line);
	free(line);
	assert_false(peer_door_next(&door, &token, &caller));
	assert_true(hung_up(fd));
	close(fd);
	fd = call(nonce);
	memset(crowd, 'x', sizeof(crowd));
	assert_int_equal(write(fd, crowd, sizeof(crowd)), sizeof(crowd));
	assert_false(peer_door_next(&door, &token, &caller));
	for (size_t i = 0; i < PEER_CALLERS; i++)
		assert_int_equal(door.caller[i].fd, -1);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(silence_keeps_nobody_out, setup, teardown),
		cmocka_unit_test_setup_teardown(a_crowd_keeps_nobody_out, setup, teardown),
		cmocka_unit_test_setup_teardown(others_are_hung_up_on, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
