// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "workloads/agent/talk.h"

int talk_addr(union talk_addr *out, const char *ip, uint64_t port)
{
	int ok;

	memset(out, 0, sizeof(*out));
	if (port < 1 || port > 65534)
		return -EINVAL;
	if (strchr(ip, ':')) {
		out->in6.sin6_family = AF_INET6;
		out->in6.sin6_port = htons((uint16_t)port);
		ok = inet_pton(AF_INET6, ip, &out->in6.sin6_addr);
	} else {
		out->in4.sin_family = AF_INET;
		out->in4.sin_port = htons((uint16_t)port);
		ok = inet_pton(AF_INET, ip, &out->in4.sin_addr);
	}
	if (ok != 1)
		return -EINVAL;
	return 0;
}

socklen_t talk_addr_len(const union talk_addr *a)
{
	return a->sa.sa_family == AF_INET6 ? sizeof(a->in6) : sizeof(a->in4);
}

void talk_tune(int fd)
{
	struct timeval stall = {TALK_STALL_S, 0};
	int one = 1;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &stall, sizeof(stall));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &stall, sizeof(stall));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

void talk_udp_buffers(int fd)
{
	int size = 4 << 20;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

int talk_errno(void)
{
	if (errno == EINTR)
		return 0;
	if (errno == EAGAIN)
		return -ETIMEDOUT;
	return -errno;
}

int talk_send_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return talk_errno();
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int talk_recv_all(int fd, void *data, size_t len)
{
	char *p = data;

	while (len) {
		ssize_t n = recv(fd, p, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return talk_errno();
		if (!n)
			return -EPIPE;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int connect_once(const union talk_addr *to, const struct talk_hello *hello)
{
	int err, fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	talk_tune(fd);
	err = errno_if(connect(fd, &to->sa, talk_addr_len(to)));
	if (!err)
		err = talk_send_all(fd, hello, sizeof(*hello));
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

int talk_connect(const struct workload_job *job, const struct talk_hello *hello, uint64_t timeout_ns)
{
	uint64_t deadline = clock_ns() + timeout_ns;
	union talk_addr to;
	int fd = talk_addr(&to, job->peer, job->port);

	if (fd)
		return fd;
	for (;;) {
		fd = connect_once(&to, hello);
		if (fd >= 0 || clock_ns() >= deadline)
			return fd;
		clock_sleep_ns(20 * NSEC_PER_MSEC);
	}
}

int talk_say(int fd, const char *fmt, ...)
{
	char line[JOB_LINE_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(line) - 1)
		return -ERANGE;
	line[n] = '\n';
	return talk_send_all(fd, line, (size_t)n + 1);
}

/* Control lines are few and short: a byte at a time is simple and never reads past the line. */
int talk_line(int fd, char *buf, size_t size)
{
	for (size_t n = 0; n < size; n++) {
		int err = talk_recv_all(fd, buf + n, 1);

		if (err)
			return err;
		if (buf[n] == '\n') {
			buf[n] = '\0';
			return (int)n;
		}
	}
	return -ERANGE;
}

uint64_t talk_value(const char *line, const char *key)
{
	char pattern[40];
	const char *p;

	snprintf(pattern, sizeof(pattern), " %s=", key);
	p = strstr(line, pattern);
	if (!p)
		return 0;
	return strtoull(p + strlen(pattern), NULL, 10);
}

int talk_expect(int fd, const char *word, char *buf, size_t size)
{
	int n = talk_line(fd, buf, size);

	if (n < 0)
		return agent_fail(n, "peer: no answer (%s expected): %s", word, strerror(-n));
	if (strncmp(buf, word, strlen(word)) != 0)
		return agent_fail(-EPROTO, "peer: %s", buf);
	return 0;
}

int talk_control(struct agent *a)
{
	struct talk_hello hello = {.magic = TALK_MAGIC, .kind = TALK_CONTROL};
	char line[JOB_LINE_MAX];
	int err, fd = talk_connect(&a->job, &hello, 20 * NSEC_PER_SEC);

	if (fd < 0)
		return agent_fail(fd, "peer %s port %llu cannot be reached: %s", a->job.peer,
				  (unsigned long long)a->job.port, strerror(-fd));
	err = job_write(&a->job, line, sizeof(line));
	if (err >= 0)
		err = talk_say(fd, "%s", line);
	if (err)
		err = agent_fail(err, "peer: job not taken: %s", strerror(-err));
	else
		err = talk_expect(fd, "ok", line, sizeof(line));
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}
