// SPDX-License-Identifier: MIT
/* The peer: listens, serves one agent after another, says on stdout what it saw. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "workloads/agent/confine.h"
#include "workloads/agent/peer.h"
#include "workloads/agent/peer_tools.h"
#include "workloads/agent/throughput.h"
#include "workloads/dgram.h"

static const struct {
	const char *name;
	int (*run)(struct session *s);
} sessions[] = {
	{"net-throughput", peer_throughput},
	{"net-latency", peer_latency},
	{"net-pps", peer_pps},
	{"net-rebind", peer_throughput},
};

static uint64_t process_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

void peer_clock_start(struct session *s)
{
	s->cpu_ns = process_cpu_ns();
	s->wall_ns = clock_ns();
}

void peer_clock_stop(struct session *s)
{
	s->cpu_ns = process_cpu_ns() - s->cpu_ns;
	s->wall_ns = clock_ns() - s->wall_ns;
}

static int listen_on(uint64_t port)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
	struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int one = 1, off = 0, err, fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool v6 = fd >= 0;

	if (!v6)
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (v6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
		err = bind(fd, (struct sockaddr *)&any, sizeof(any));
	} else {
		err = bind(fd, (struct sockaddr *)&any4, sizeof(any4));
	}
	if (err || listen(fd, 256)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

/*
 * A connection, its hello and where it comes from, within timeout_ms (-1: for ever), unless control (-1:
 * none) is closed first.
 */
static int accept_hello(int listen_fd, int control, struct talk_hello *hello, union talk_addr *from,
			int timeout_ms)
{
	struct pollfd pfd[2] = {{listen_fd, POLLIN, 0}, {control, POLLRDHUP, 0}};
	socklen_t len = sizeof(*from);
	int err, fd, n = poll(pfd, 2, timeout_ms);

	if (n < 0)
		return -errno;
	if (!n)
		return -ETIMEDOUT;
	if (pfd[1].revents)
		return -EPIPE;
	fd = accept4(listen_fd, &from->sa, &len, SOCK_CLOEXEC);
	if (fd < 0)
		return -errno;
	talk_tune(fd);
	err = talk_recv_all(fd, hello, sizeof(*hello));
	if (!err && hello->magic != TALK_MAGIC)
		err = -EPROTO;
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

int peer_accept_data(struct session *s, struct talk_hello *hello)
{
	union talk_addr from;
	int fd = accept_hello(s->listen_fd, s->control, hello, &from, TALK_STALL_S * 1000);

	if (fd >= 0 && hello->kind != TALK_DATA) {
		close(fd);
		return -EPROTO;
	}
	return fd;
}

static int run_session(struct session *s)
{
	char line[JOB_LINE_MAX], bad[64] = "";
	int n = talk_line(s->control, line, sizeof(line));

	if (n < 0)
		return n;
	if (job_parse(&s->job, line, bad)) {
		talk_say(s->control, "err bad key or value in the job: %s", bad);
		return -EPROTO;
	}
	if (s->job.tool == JOB_IPERF3)
		return peer_iperf(s);
	for (size_t i = 0; i < ARRAY_SIZE(sessions); i++) {
		if (!strcmp(sessions[i].name, s->job.workload))
			return sessions[i].run(s);
	}
	talk_say(s->control, "err the peer does not know the workload %s", s->job.workload);
	return -ENOENT;
}

/* The control connection may be quiet for as long as a window lasts. */
static void no_stall_limit(int fd)
{
	struct timeval none = {0, 0};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none));
}

static void serve_sessions(int listen_fd, int tools)
{
	for (;;) {
		static struct session s;
		struct talk_hello hello = {0};
		int err = -EPROTO;

		s = (struct session){.listen_fd = listen_fd, .tools = tools, .job.workload = "session"};
		s.control = accept_hello(listen_fd, -1, &hello, &s.from, -1);
		if (s.control < 0)
			continue;
		no_stall_limit(s.control);
		if (hello.kind == TALK_CONTROL)
			err = run_session(&s);
		report_note("peer: %s: %s, cpu %.3f s of %.3f s", s.job.workload, err ? strerror(-err) : "ok",
			    (double)s.cpu_ns / 1e9, (double)s.wall_ns / 1e9);
		report_flush();
		close(s.control);
	}
}

/* The sanitizers need system calls of their own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FILTERED false
#else
#define FILTERED true
#endif

/* While there is one thread: the others have what it has. The tools' channel, or -errno. */
static int give_up_privileges(void)
{
	int err = confine_peer(), tools = -1;

	if (err) {
		log_error("the peer cannot give up its privileges: %s", strerror(-err));
		return err;
	}
	tools = tools_start();
	if (tools >= 0 && FILTERED)
		err = confine_peer_calls();
	if (tools < 0 || err) {
		log_error("the peer cannot give up system calls: %s", strerror(-MIN(err, tools)));
		return MIN(err, tools);
	}
	return tools;
}

/* Of the job only the port is ours: address and interface are the agent's, our side of the wire is
 * there already. */
int peer_main(struct agent *a)
{
	int fd = listen_on(a->job.port), tools;

	if (fd < 0) {
		log_error("port %llu: cannot listen: %s", (unsigned long long)a->job.port, strerror(-fd));
		return EXIT_CANNOT;
	}
	tools = give_up_privileges();
	if (tools < 0)
		return EXIT_CANNOT;
	if (peer_dgram_start(a->job.port))
		log_warn("UDP port %llu: cannot be bound; the micro guest's traffic will not be answered",
			 (unsigned long long)a->job.port + DGRAM_PORT_OFFSET);
	report_line("ready");
	report_flush();
	serve_sessions(fd, tools);
	return EXIT_OK;
}
