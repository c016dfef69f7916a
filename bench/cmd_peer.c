// SPDX-License-Identifier: MIT
/* `bench peer`: the other end of a wire, which serves the runs of another machine one after the other. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/proc.h"
#include "bench/bench.h"
#include "bench/host/paths.h"
#include "bench/host/peer_link.h"
#include "bench/host/wire.h"

struct peer_args {
	const char *nic, *token, *port;
};

struct peer {
	struct peer_token token;
	int listen_fd, signal_fd, netns;
	struct peer_door door;
	/* The session that is served; control is -1 while there is none. */
	int control;
	struct proc agent;
};

static void end_session(struct peer *p)
{
	proc_end(&p->agent, NSEC_PER_SEC);
	p->agent = (struct proc)PROC_INIT;
	close_fd(&p->control);
	log_info("session over");
}

static int start_agent(struct peer *p, unsigned port)
{
	char *argv[] = {(char *)path_tool("agent"), "peer", xasprintf("port=%u", port), NULL};
	struct proc_opts o = {.netns_fd = p->netns, .stdout_fd = STDERR_FILENO, .new_group = true};
	int err = -ENOENT;

	if (argv[0])
		err = proc_spawn(&p->agent, argv, &o);
	free(argv[2]);
	return err;
}

/* There is one card, so one caller is served at a time. */
static void on_caller(struct peer *p, struct peer_caller *c)
{
	const char *refusal = NULL;
	int err;

	if (p->control >= 0)
		refusal = "it serves somebody else";
	else if (start_agent(p, c->port))
		refusal = "its agent could not be started";
	err = peer_answer(c, &p->token, refusal);
	if (refusal) {
		close(c->fd);
		return;
	}
	p->control = c->fd;
	log_info("session on port %u", c->port);
	if (err)
		end_session(p);
}

static void let_in(struct peer *p)
{
	int fd = accept4(p->listen_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0)
		peer_door_add(&p->door, fd);
}

/* Until a signal. Whatever the caller sends, or its hanging up, ends its session. */
static void serve_callers(struct peer *p)
{
	for (;;) {
		struct pollfd fd[4 + PEER_CALLERS] = {
			{p->signal_fd, POLLIN, 0},
			{p->listen_fd, POLLIN, 0},
			{p->control, POLLIN, 0},
			{p->control >= 0 ? p->agent.pidfd : -1, POLLIN, 0},
		};
		struct peer_caller caller;

		if (poll(fd, ARRAY_SIZE(fd), peer_door_wait(&p->door, fd + 4)) < 0 && errno != EINTR)
			return;
		if (fd[0].revents)
			return;
		if (p->control >= 0 && (fd[2].revents || fd[3].revents))
			end_session(p);
		if (fd[1].revents)
			let_in(p);
		while (peer_door_next(&p->door, &p->token, &caller))
			on_caller(p, &caller);
	}
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static int open_peer(struct peer *p, const struct peer_args *a)
{
	int err = peer_token_read(a->token, &p->token);

	if (err)
		return err;
	p->listen_fd = peer_listen(a->port);
	if (p->listen_fd < 0)
		return p->listen_fd;
	p->netns = wire_peer_card(a->nic);
	if (p->netns < 0)
		return p->netns;
	p->signal_fd = open_signals();
	return errno_if(p->signal_fd < 0);
}

static int peer_main(int argc, char **argv)
{
	struct peer p = {.listen_fd = -1, .signal_fd = -1, .netns = -1, .control = -1, .agent = PROC_INIT};
	struct peer_args a = {.port = PEER_PORT};
	int status, err;

	if (!bench_parse(&cmd_peer, &argc, argv, &a, &status))
		return status;
	if (!a.nic || !a.token) {
		log_error("peer: --nic and --token are both needed; see bench peer --help");
		return EXIT_USAGE;
	}
	peer_door_open(&p.door);
	err = open_peer(&p, &a);
	if (!err) {
		log_info("peer: ready on port %s, %s is the wire", a.port, a.nic);
		serve_callers(&p);
	}
	if (p.control >= 0)
		end_session(&p);
	peer_door_close(&p.door);
	close_fd(&p.listen_fd);
	close_fd(&p.signal_fd);
	close_fd(&p.netns); /* the card comes back */
	if (err == -EINVAL)
		return EXIT_USAGE;
	return status_of(err);
}

static const struct opt peer_opts[] = {
	{"nic", 0, OPT_STR, offsetof(struct peer_args, nic), "NIC", "the card at this end of the wire; it is taken from this host while we run"},
	{"token", 0, OPT_STR, offsetof(struct peer_args, token), "FILE", "what both machines know; a file that only its owner can read"},
	{"port", 0, OPT_STR, offsetof(struct peer_args, port), "N", "where bench run finds us, over another network (default " PEER_PORT ")"},
	OPT_END,
};

const struct command cmd_peer = {
	.name = "peer",
	.summary = "the other end of the wire, for bench run --peer on another machine",
	.details = "The card goes into a network namespace of its own, with the addresses 10.77.0.1 and fd77::1, and comes back when\n"
		   "this ends. One run at a time is served; whoever does not prove to know the token is sent away.",
	.examples = "bench peer --nic=eth1 --token=/etc/exitlab.token",
	.opts = peer_opts,
	.run = peer_main,
};
