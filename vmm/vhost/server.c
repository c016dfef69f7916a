// SPDX-License-Identifier: MIT
#include "vmm/vhost/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/end.h"
#include "base/log.h"
#include "base/proc.h"
#include "vmm/vhost/back.h"

#define END_LIMIT_S 5

/* ---- the socket ---- */

static int socket_of(const char *path, struct sockaddr_un *addr)
{
	*addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(addr->sun_path))
		die(EXIT_USAGE, "--socket %s: longer than %zu characters", path,
		    sizeof(addr->sun_path) - 1);
	strcpy(addr->sun_path, path);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* What a killed process left: a socket that nobody listens to. */
static void remove_stale(const char *path)
{
	struct sockaddr_un addr;
	struct stat st;
	int sock;

	if (lstat(path, &st) < 0)
		return;
	if (!S_ISSOCK(st.st_mode))
		die(EXIT_USAGE, "--socket %s: there is a file of that name, and it is no socket",
		    path);
	sock = socket_of(path, &addr);
	if (connect(sock, (struct sockaddr *)&addr, sizeof(addr)) == 0 || errno != ECONNREFUSED)
		die(EXIT_CANNOT,
		    "--socket %s: another process listens there; end it or take another path",
		    path);
	close(sock);
	unlink(path);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/*
 * A child removes the socket when we are gone, whichever way: we shall not be able to. One that another
 * server has made meanwhile stays. It does not ask by connecting: of what a process holds the pipe may be
 * closed before the listener.
 */
static void start_janitor(const char *path)
{
	struct stat ours, now;
	int alive[2];

	if (lstat(path, &ours) < 0 || pipe2(alive, O_CLOEXEC) < 0 || fork())
		return;
	proc_stand_in(alive[0], STDIN_FILENO);
	proc_wait_hangup(STDIN_FILENO);
	if (lstat(path, &now) == 0 && same_file(&ours, &now))
		unlink(path);
	_exit(EXIT_OK);
}

static int listen_at(const char *path)
{
	struct sockaddr_un addr;
	int sock;

	remove_stale(path);
	sock = socket_of(path, &addr);
	if (sock < 0 || bind(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(sock, 4) < 0)
		die(EXIT_CANNOT, "--socket %s: %s", path, strerror(errno));
	return sock;
}

/* ---- a front-end whose memory goes ---- */

static struct vu_back *served;
static volatile sig_atomic_t memory_vanished;

static bool is_front_memory(const char *p)
{
	for (unsigned i = 0; i < served->mem.n; i++)
		if (p >= (char *)served->mem.slot[i].map &&
		    p < (char *)served->mem.slot[i].map + served->mem.slot[i].map_len)
			return true;
	return served->inflight.map && p >= (char *)served->inflight.map &&
	       p < (char *)served->inflight.map + served->inflight.map_len;
}

/*
 * A front-end has cut its memory file: whoever touches the memory gets a page of zeros, and the front-end is
 * dropped (its connection is shut down, which the main thread sees). Everything here may be called in a
 * handler.
 */
static void on_sigbus(int sig, siginfo_t *si, void *context)
{
	char *page = (char *)((uintptr_t)si->si_addr & ~4095ul);

	(void)context;
	if (si->si_code == BUS_ADRERR && is_front_memory(page) &&
	    mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
		    page) {
		memory_vanished = 1;
		shutdown(served->sock, SHUT_RDWR);
		return;
	}
	signal(sig, SIG_DFL);
	raise(sig);
}

/* ---- serving ---- */

/* A second front-end is turned away: a TAP queue and a disk have one user. */
static void on_listener(struct vu_back *b, int listener)
{
	int sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (sock < 0)
		return;
	if (b->sock >= 0) {
		log_warn("a second front-end was turned away");
		close(sock);
		return;
	}
	vu_back_connect(b, sock);
	log_info("a front-end has connected");
}

/* False when it was the last message. */
static bool on_front_end(struct vu_back *b)
{
	int r = vu_back_serve(b);

	if (r > 0)
		return true;
	if (memory_vanished)
		log_warn("the front-end is dropped: its memory has vanished under us");
	else if (r < 0)
		log_warn("the front-end is dropped: %s", strerror(-r));
	else
		log_info("the front-end has hung up");
	vu_back_hang_up(b);
	memory_vanished = 0;
	return false;
}

static void serve_front_ends(struct vu_back *b, int listener, int signals, bool once)
{
	for (;;) {
		struct pollfd p[] = {
			{signals, POLLIN, 0}, {listener, POLLIN, 0}, {b->sock, POLLIN, 0}};

		if (poll(p, ARRAY_SIZE(p), -1) < 0)
			continue;
		if (p[0].revents)
			return;
		if (p[2].revents && !on_front_end(b) && once)
			return;
		if (p[1].revents)
			on_listener(b, listener);
	}
}

int vu_server_signals(void)
{
	struct sigaction bus = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO};
	sigset_t set;
	int fd;

	sigaction(SIGBUS, &bus, NULL);
	signal(SIGPIPE, SIG_IGN);
	end_prepare();
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		die(EXIT_CANNOT, "signalfd: %s", strerror(errno));
	return fd;
}

void vu_server_run(const struct vu_server *s)
{
	bool sandboxed = !strcmp(s->sandbox, "on");
	int listener;

	served = s->back;
	listener = listen_at(s->socket);
	start_janitor(s->socket);
	if (sandboxed) {
		if (sandbox_enter())
			exit(EXIT_CANNOT);
		s->threads->begin = sandbox_thread;
		s->threads->arg = (void *)(uintptr_t)(SANDBOX_SERVER | s->sandbox_parts);
	}
	if (threads_start(s->threads))
		exit(EXIT_CANNOT);
	if (sandboxed)
		sandbox_thread(s->threads->arg, THREAD_MAIN);
	log_info("listening at %s", s->socket);
	serve_front_ends(s->back, listener, s->signals, s->once);
	if (sandboxed)
		_exit(EXIT_OK);
	end_within(END_LIMIT_S);
}
