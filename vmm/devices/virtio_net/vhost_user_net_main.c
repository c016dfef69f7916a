// SPDX-License-Identifier: MIT
/* vhost-user-net: serves a TAP to the virtio-net device of another process. */
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
#include "base/opts.h"
#include "base/proc.h"
#include "vmm/core/threads.h"
#include "vmm/devices/virtio_net/user_back.h"
#include "vmm/sandbox/sandbox.h"

#define END_LIMIT_S 5

struct args {
	const char *socket, *tap, *sandbox;
	uint64_t queues, poll_us;
	bool once;
};

static const struct opt opts[] = {
	{"socket", 's', OPT_STR, offsetof(struct args, socket), "PATH",
	 "listen here for the front-end"},
	{"tap", 't', OPT_STR, offsetof(struct args, tap), "TAP",
	 "by name (t0) or as inherited fds (fd=5:6)"},
	{"queues", 'q', OPT_U64, offsetof(struct args, queues), "N", "queue pairs (default 1)"},
	{"poll-us", 'p', OPT_U64, offsetof(struct args, poll_us), "US",
	 "poll this long before sleeping (default 0)"},
	{"once", '1', OPT_FLAG, offsetof(struct args, once), NULL,
	 "end when the first front-end hangs up"},
	{"sandbox", 0, OPT_STR, offsetof(struct args, sandbox), "on|off",
	 "give up user, capabilities, namespaces, paths and most system calls before serving (default on)"},
	OPT_END,
};

static const struct command command = {
	.name = "",
	.args = "--socket PATH --tap NAME|fd=N[:N...]",
	.summary = "serve a TAP over vhost-user",
	.details =
		"Listens on a unix socket and moves packets between the TAP and the rings of whatever VMM connects, one\n"
		"at a time: `vmm --net mode=vhost-user,path=PATH`, or QEMU with\n"
		"  -object memory-backend-memfd,id=m,size=512M,share=on -numa node,memdev=m\n"
		"  -chardev socket,id=c,path=PATH -netdev vhost-user,id=n,chardev=c -device virtio-net-pci,netdev=n\n"
		"\nExit status: 0 ended by SIGTERM or SIGINT (or --once), 2 bad arguments, 3 this host cannot.",
	.examples =
		"vhost-user-net --socket /run/vu.sock --tap t0\nvhost-user-net -s vu.sock -t fd=5:6 -q 2",
	.opts = opts,
};

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

/*
 * A child removes the socket when we are gone, whichever way: we shall not be able to. One that another
 * server has made meanwhile stays.
 */
static void start_janitor(const char *path)
{
	int alive[2];

	if (pipe2(alive, O_CLOEXEC) < 0 || fork())
		return;
	proc_stand_in(alive[0], STDIN_FILENO);
	proc_wait_hangup(STDIN_FILENO);
	remove_stale(path);
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

static struct vu_back back;
static volatile sig_atomic_t memory_vanished;

static bool is_front_memory(const char *p)
{
	for (unsigned i = 0; i < back.mem.n; i++)
		if (p >= (char *)back.mem.slot[i].map &&
		    p < (char *)back.mem.slot[i].map + back.mem.slot[i].map_len)
			return true;
	return back.inflight.map && p >= (char *)back.inflight.map &&
	       p < (char *)back.inflight.map + back.inflight.map_len;
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
		shutdown(back.sock, SHUT_RDWR);
		return;
	}
	signal(sig, SIG_DFL);
	raise(sig);
}

/* ---- serving ---- */

/* A second front-end is turned away: a TAP queue has one user. */
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

/* ---- the program ---- */

static int block_signals(void)
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

/* The keys that mode=virtio of the VMM takes. */
static int open_backend(struct net_backend *be, const struct args *a)
{
	char *text = xasprintf("%s%s,poll_us=%llu", strncmp(a->tap, "fd=", 3) ? "tap=" : "", a->tap,
			       (unsigned long long)a->poll_us);
	struct dev_opts *o;
	int err = dev_opts_parse(&o, text);

	free(text);
	if (err)
		return err;
	err = be->ops->open(be, o);
	if (!err)
		err = dev_opts_done(o);
	dev_opts_free(o);
	return err;
}

static void parse_args(int argc, char **argv, struct args *a)
{
	int r = opts_parse("vhost-user-net", &command, &argc, argv, a);

	if (r)
		exit(r > 0 ? EXIT_OK : EXIT_USAGE);
	if (argc > 1)
		die(EXIT_USAGE, "%s: takes options only; see --help", argv[1]);
	if (!a->socket || !a->tap)
		die(EXIT_USAGE, "--socket and --tap are both needed; see --help");
	if (!a->queues || a->queues > NET_PAIRS_MAX)
		die(EXIT_USAGE, "--queues %llu: 1 to %d", (unsigned long long)a->queues,
		    NET_PAIRS_MAX);
}

int main(int argc, char **argv)
{
	struct args a = {.queues = 1, .sandbox = SANDBOX_DEFAULT};
	struct threads threads = {0};
	struct net_backend be = {.ops = &net_backend_virtio, .dev_name = "vhost-user", .threads = &threads};
	int listener, signals, err;

	log_init("vhost-user-net", LOG_INFO);
	parse_args(argc, argv, &a);
	signals = block_signals(); /* before there are other threads */
	be.pairs = (unsigned)a.queues;
	err = open_backend(&be, &a);
	if (!err)
		err = vu_back_init(&back, &be);
	if (err)
		exit(err == -EINVAL ? EXIT_USAGE : EXIT_CANNOT);
	listener = listen_at(a.socket);
	start_janitor(a.socket);
	if (!strcmp(a.sandbox, "on")) {
		if (sandbox_enter())
			exit(EXIT_CANNOT);
		threads.begin = sandbox_thread;
		threads.arg = (void *)(uintptr_t)SANDBOX_SERVER;
	}
	if (threads_start(&threads))
		exit(EXIT_CANNOT);
	if (threads.begin)
		sandbox_thread(threads.arg, THREAD_MAIN);
	log_info("listening at %s", a.socket);
	serve_front_ends(&back, listener, signals, a.once);
	if (threads.begin)
		_exit(EXIT_OK);
	end_within(END_LIMIT_S);
	vu_back_exit(&back);
	be.ops->close(&be);
	return EXIT_OK;
}
