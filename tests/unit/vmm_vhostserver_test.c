// SPDX-License-Identifier: MIT
/*
 * The program around a vhost-user back-end, in a process of its own: its socket, front-ends that come,
 * go, come too many and take their memory away, its end. The device below it only reads the memory
 * when it is told to.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "vmm/core/threads.h"
#include "vmm/vhost/back.h"
#include "vmm/vhost/server.h"

#define WAIT_NS	 (20 * NSEC_PER_SEC)
#define USER	 0x7f0000000000ull
#define MEM_SIZE MIB

/* ---- the device ---- */

static struct vu_back back;
static uint8_t config[4];

static int dev_start(struct vu_device *d, uint64_t features)
{
	(void)d;
	(void)features;
	return 0;
}

static void dev_stop(struct vu_device *d)
{
	(void)d;
}

/* Offset 0: touch the front-end's memory; 1: a page that nobody has told of. */
static int dev_config_write(struct vu_device *d, uint32_t off, const uint8_t *data, uint32_t len)
{
	volatile char *p = back.mem.slot[0].map;

	(void)d;
	(void)len;
	if (off) {
		int fd = memfd_create("none", MFD_CLOEXEC);

		p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	}
	*p = (char)*data;
	return 0;
}

static const struct vu_device_ops dev_ops = {dev_start, dev_stop, dev_config_write, NULL};

/* ---- the server ---- */

static char path[64];
static const char *listen_at; /* NULL: at path */
static pid_t server;

static _Noreturn void serve(bool once)
{
	static struct served_ring rings[2];
	struct vu_device dev = {.ops = &dev_ops,
				.queues = 1,
				.n_rings = 2,
				.rings = rings,
				.config = config,
				.config_len = sizeof(config)};
	struct threads threads = {0};
	struct vu_server s = {.socket = text_or(listen_at, path),
			      .sandbox = "off",
			      .once = once,
			      .back = &back,
			      .threads = &threads};

	s.signals = vu_server_signals();
	if (vu_back_init(&back, &dev))
		exit(99);
	vu_server_run(&s);
	vu_back_exit(&back);
	exit(0);
}

static void start(bool once)
{
	int null;

	server = fork();
	if (server)
		return;
	null = open("/dev/null", O_WRONLY);
	dup2(null, STDERR_FILENO);
	serve(once);
}

/* As the shell has it: 128 + the signal that ended it. */
static int end_of_server(void)
{
	uint64_t deadline = clock_ns() + WAIT_NS;
	int status;

	while (waitpid(server, &status, WNOHANG) == 0) {
		if (clock_ns() > deadline)
			kill(server, SIGKILL);
		clock_sleep_ns(NSEC_PER_MSEC);
	}
	if (WIFSIGNALED(status))
		return 128 + WTERMSIG(status);
	return WEXITSTATUS(status);
}

static int try_connect(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, path);
	if (connect(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		close_fd(&sock);
	return sock;
}

static int connect_to_server(void)
{
	uint64_t deadline = clock_ns() + WAIT_NS;
	int sock;

	do {
		sock = try_connect();
		clock_sleep_ns(NSEC_PER_MSEC);
	} while (sock < 0 && clock_ns() < deadline);
	assert_true(sock >= 0);
	return sock;
}

static bool closed_by_server(int sock)
{
	struct pollfd p = {sock, POLLIN, 0};
	char c;

	return poll(&p, 1, (int)(WAIT_NS / NSEC_PER_MSEC)) == 1 && recv(sock, &c, 1, MSG_DONTWAIT) <= 0;
}

static bool gone(void)
{
	uint64_t deadline = clock_ns() + WAIT_NS;
	struct stat st;

	while (!lstat(path, &st) && clock_ns() < deadline)
		clock_sleep_ns(NSEC_PER_MSEC);
	return lstat(path, &st) < 0;
}

/* The offer, which only a served front-end is told. */
static bool is_served(int sock)
{
	struct vu_msg m = vu_msg_empty(VU_GET_FEATURES), reply;

	return !vu_send(sock, &m, NSEC_PER_SEC) && vu_recv_reply(sock, &m, &reply, WAIT_NS) == 1 &&
	       reply.p.u64;
}

static void write_config(int sock, uint32_t off)
{
	struct vu_msg m = vu_msg_empty(VU_SET_CONFIG);

	m.size = 12 + 1;
	m.p.config = (struct vu_config){.offset = off, .size = 1};
	assert_int_equal(vu_send(sock, &m, NSEC_PER_SEC), 0);
}

/* Its memory, which is then cut. */
static void give_memory(int sock, uint64_t keep)
{
	struct vu_msg m = vu_msg_empty(VU_SET_MEM_TABLE);
	int fd = memfd_create("memory", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, MEM_SIZE), 0);
	m.size = 8 + sizeof(m.p.mem.region[0]);
	m.p.mem.n = m.n_fds = 1;
	m.p.mem.region[0] = (struct vu_region){0, MEM_SIZE, USER, 0};
	m.fd[0] = fd;
	assert_int_equal(vu_send(sock, &m, NSEC_PER_SEC), 0);
	assert_true(is_served(sock)); /* it has been mapped */
	assert_int_equal(ftruncate(fd, (off_t)keep), 0);
	close(fd);
}

/* ---- tests ---- */

static void one_at_a_time_until_told(void **state)
{
	int first, second;

	(void)state;
	start(false);
	first = connect_to_server();
	assert_true(is_served(first));
	second = connect_to_server();
	assert_true(closed_by_server(second));
	close(second);
	assert_true(is_served(first));
	close(first);
	do {
		close_fd(&second);
		second = connect_to_server();
	} while (!is_served(second)); /* it may not have seen yet that the first is gone */
	close(second);
	kill(server, SIGTERM);
	assert_int_equal(end_of_server(), 0);
	assert_true(gone());
}

static void once(void **state)
{
	int sock;

	(void)state;
	start(true);
	sock = connect_to_server();
	assert_true(is_served(sock));
	close(sock);
	assert_int_equal(end_of_server(), 0);
	assert_true(gone());
}

static void what_is_no_message_ends_a_connection(void **state)
{
	static const uint32_t nonsense[3] = {VU_GET_FEATURES, 0xffffffff, 0};
	int sock;

	(void)state;
	start(true);
	sock = connect_to_server();
	assert_int_equal(send(sock, nonsense, sizeof(nonsense), MSG_NOSIGNAL), sizeof(nonsense));
	assert_true(closed_by_server(sock));
	close(sock);
	assert_int_equal(end_of_server(), 0);
}

static void memory_that_vanishes(void **state)
{
	int sock;

	(void)state;
	start(false);
	sock = connect_to_server();
	give_memory(sock, 0);
	write_config(sock, 0);
	assert_true(closed_by_server(sock));
	close(sock);
	sock = connect_to_server();
	assert_true(is_served(sock));
	close(sock);
	kill(server, SIGINT);
	assert_int_equal(end_of_server(), 0);
}

/* A fault that is no front-end's doing is not covered up. */
static void a_fault_of_our_own(void **state)
{
	int sock;

	(void)state;
	start(false);
	sock = connect_to_server();
	give_memory(sock, MEM_SIZE);
	write_config(sock, 1);
	assert_true(closed_by_server(sock));
	close(sock);
	assert_int_not_equal(end_of_server(), 0);
	assert_true(gone());
}

/* ---- the socket's path ---- */

static int listen_there(bool listening)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	unlink(path);
	strcpy(addr.sun_path, path);
	assert_int_equal(bind(sock, (struct sockaddr *)&addr, sizeof(addr)), 0);
	if (listening)
		assert_int_equal(listen(sock, 1), 0);
	return sock;
}

static void a_stale_socket_is_replaced(void **state)
{
	int sock;

	(void)state;
	sock = listen_there(false);
	close(sock);
	start(true);
	sock = connect_to_server();
	assert_true(is_served(sock));
	close(sock);
	assert_int_equal(end_of_server(), 0);
}

static void a_socket_of_others_stays(void **state)
{
	struct stat st;
	int sock;

	(void)state;
	sock = listen_there(true);
	start(true);
	assert_int_equal(end_of_server(), EXIT_CANNOT);
	assert_int_equal(lstat(path, &st), 0);
	close(sock);
	unlink(path);
}

/* Whoever has taken the path meanwhile keeps it. */
static void a_path_taken_over_stays(void **state)
{
	int first, others;

	(void)state;
	start(true);
	first = connect_to_server();
	assert_true(is_served(first));
	others = listen_there(true);
	close(first);
	assert_int_equal(end_of_server(), 0);
	clock_sleep_ns(100 * NSEC_PER_MSEC); /* the janitor's turn */
	first = try_connect();
	assert_true(first >= 0);
	close(first);
	close(others);
	unlink(path);
}

static void paths_that_cannot_be(void **state)
{
	char long_path[200];
	int fd;

	(void)state;
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	start(true);
	assert_int_equal(end_of_server(), EXIT_USAGE);
	assert_int_equal(access(path, F_OK), 0);
	close(fd);
	unlink(path);
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	listen_at = long_path;
	start(true);
	assert_int_equal(end_of_server(), EXIT_USAGE);
	listen_at = "/nowhere/at/all";
	start(true);
	assert_int_equal(end_of_server(), EXIT_CANNOT);
	listen_at = NULL;
}

static int setup(void **state)
{
	(void)state;
	unlink(path);
	alarm(120);
	return 0;
}

#define T(fn) cmocka_unit_test_setup(fn, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(one_at_a_time_until_told),
		T(once),
		T(what_is_no_message_ends_a_connection),
		T(memory_that_vanishes),
		T(a_fault_of_our_own),
		T(a_stale_socket_is_replaced),
		T(a_socket_of_others_stays),
		T(a_path_taken_over_stays),
		T(paths_that_cannot_be),
	};
	int r;

	log_init("server_test", LOG_ERROR);
	snprintf(path, sizeof(path), "/tmp/vus_test.%d", getpid());
	r = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return r;
}
