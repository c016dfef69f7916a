// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hmac.h"
#include "base/log.h"
#include "bench/host/peer_link.h"

#define TOKEN_MIN     16
#define LIMIT_NS      (5 * NSEC_PER_SEC)
#define GREETING      "exitlab-peer 1"
#define KEEP_IDLE_S   10

int peer_token_read(const char *path, struct peer_token *t)
{
	struct stat st;
	char *line;
	int err = errno_if(stat(path, &st));

	if (err) {
		log_error("token %s: %s; make it with: openssl rand -hex 32 >FILE; chmod 600 FILE, the same on both machines", path,
			  strerror(-err));
		return err;
	}
	if (st.st_mode & 077) {
		log_error("token %s: others can read it; chmod 600 %s", path, path);
		return -EACCES;
	}
	line = file_read_line(path);
	t->len = strlen(line);
	if (t->len < TOKEN_MIN || t->len >= sizeof(t->text)) {
		log_error("token %s: its first line has %zu characters; expected %d to %zu", path, t->len, TOKEN_MIN,
			  sizeof(t->text) - 1);
		err = -EINVAL;
	} else {
		memcpy(t->text, line, t->len + 1);
	}
	free(line);
	return err;
}

/* ---- lines ---- */

/*
 * What has come of a line, of which *have bytes are there. It is read byte by byte, because what
 * follows the line belongs to another reader. -EAGAIN: its end has not come.
 */
static int read_more(int fd, char line[PEER_LINE], size_t *have)
{
	while (*have < PEER_LINE - 1) {
		ssize_t got = recv(fd, line + *have, 1, MSG_DONTWAIT);

		if (got < 0)
			return -errno;
		if (!got)
			return -EPIPE;
		if (line[*have] == '\n') {
			line[*have] = '\0';
			return 0;
		}
		++*have;
	}
	return -EMSGSIZE;
}

static int ms_left(uint64_t deadline_ns)
{
	uint64_t left = sub_floor(deadline_ns, clock_ns());

	return left ? (int)(left / NSEC_PER_MSEC) + 1 : 0;
}

static int read_line(int fd, char line[PEER_LINE], uint64_t deadline_ns)
{
	size_t have = 0;
	int err;

	while ((err = read_more(fd, line, &have)) == -EAGAIN) {
		struct pollfd p = {fd, POLLIN, 0};

		if (poll(&p, 1, ms_left(deadline_ns)) <= 0)
			return -ETIMEDOUT;
	}
	return err;
}

static int write_line(int fd, char *line)
{
	size_t len = strlen(line);
	ssize_t n = send(fd, line, len, MSG_NOSIGNAL); /* short, into an empty socket: all or an error */

	free(line);
	if (n < 0)
		return -errno;
	if (n != (ssize_t)len)
		return -EIO;
	return 0;
}

static void write_proof(const struct peer_token *t, const char *who, const char *peer, const char *run,
			unsigned port, char hex[HMAC_HEX])
{
	char *text = xasprintf("%s %s %s %u", who, peer, run, port);

	hmac_sha256(t->text, t->len, text, hex);
	free(text);
}

/* With keep-alive we notice that the other machine has died. */
static void keep_alive(int fd)
{
	int on = 1, idle = KEEP_IDLE_S, every = 5, count = 3;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof(every));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}

/* ---- bench run ---- */

/* "host", "host:port", "[v6]:port", "v6". */
static void split_address(const char *addr, char host[128], char port[16])
{
	const char *colon = strrchr(addr, ':');
	bool has_port = colon && (strchr(addr, ':') == colon || (*addr == '[' && colon[-1] == ']'));

	snprintf(port, 16, "%s", has_port ? colon + 1 : PEER_PORT);
	snprintf(host, 128, "%s", addr);
	if (has_port && colon - addr < 128)
		host[colon - addr] = '\0';
	if (*host == '[') {
		memmove(host, host + 1, strlen(host));
		host[strcspn(host, "]")] = '\0';
	}
}

static int dial_peer(const char *addr)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *all = NULL;
	const struct timeval limit = {LIMIT_NS / NSEC_PER_SEC, 0};
	char host[128], port[16];
	int fd = -1, err = 0;

	split_address(addr, host, port);
	if (getaddrinfo(host, port, &hints, &all)) {
		log_error("--peer=%s: no such address; expected HOST or HOST:PORT", addr);
		return -ENOENT;
	}
	for (struct addrinfo *a = all; a && fd < 0; a = a->ai_next) {
		fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0) {
			err = -errno;
			continue;
		}
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)); /* of connect too */
		if (connect(fd, a->ai_addr, a->ai_addrlen)) {
			err = -errno;
			if (err == -EINPROGRESS)
				err = -ETIMEDOUT;
			close_fd(&fd);
		}
	}
	freeaddrinfo(all);
	if (fd >= 0)
		return fd;
	log_error("--peer=%s: %s; is `bench peer` running there?", addr, strerror(-err));
	return err;
}

/* 0, or -errno with *why set. */
static int introduce_us(int fd, const struct peer_token *t, unsigned work_port, char line[PEER_LINE],
			const char **why)
{
	uint64_t deadline = clock_ns() + LIMIT_NS;
	char theirs[HMAC_HEX] = "", ours[HMAC_HEX], mac[HMAC_HEX], answer[HMAC_HEX] = "";
	int err = read_line(fd, line, deadline);

	*why = "it does not speak as bench peer does";
	if (!err && sscanf(line, GREETING " %64[0-9a-f]", theirs) != 1)
		err = -EPROTO;
	if (!err)
		err = hmac_nonce(ours);
	if (err)
		return err;
	write_proof(t, "run", theirs, ours, work_port, mac);
	err = write_line(fd, xasprintf("hello %s %u %s\n", ours, work_port, mac));
	if (!err)
		err = read_line(fd, line, deadline);
	*why = "it hung up: the tokens differ";
	if (err)
		return err;
	write_proof(t, "peer", theirs, ours, work_port, mac);
	if (sscanf(line, "ready %64[0-9a-f]", answer) == 1 && hmac_equal(answer, mac))
		return 0;
	*why = "it does not know the token";
	if (!strncmp(line, "refused ", 8))
		*why = line + 8;
	return -EACCES;
}

int peer_connect(const char *addr, const struct peer_token *t, unsigned work_port)
{
	char line[PEER_LINE];
	const char *why;
	int fd = dial_peer(addr), err;

	if (fd < 0)
		return fd;
	err = introduce_us(fd, t, work_port, line, &why);
	if (err) {
		log_error("--peer=%s: %s", addr, why);
		close_fd(&fd);
		return err;
	}
	keep_alive(fd);
	return fd;
}

/* ---- bench peer ---- */

int peer_listen(const char *port)
{
	uint64_t n;
	struct sockaddr_in6 any = {.sin6_family = AF_INET6};
	int one = 1, off = 0, fd, err;

	if (parse_u64(port, &n) || !n || n > 65535) {
		log_error("--port=%s: expected 1 to 65535", port);
		return -EINVAL;
	}
	any.sin6_port = htons((uint16_t)n);
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (!bind(fd, (struct sockaddr *)&any, sizeof(any)) && !listen(fd, 8))
		return fd;
	err = -errno;
	log_error("port %s: %s; choose another with --port", port, strerror(-err));
	close(fd);
	return err;
}

static int caller_greet(struct peer_caller *c)
{
	int err = hmac_nonce(c->ours);

	if (err)
		return err;
	return write_line(c->fd, xasprintf(GREETING " %s\n", c->ours));
}

static int caller_check(struct peer_caller *c, const struct peer_token *t)
{
	char mac[HMAC_HEX] = "", want[HMAC_HEX];

	if (sscanf(c->line, "hello %64[0-9a-f] %u %64[0-9a-f]", c->theirs, &c->port, mac) != 3 || !c->port ||
	    c->port > 65535)
		return -EPROTO;
	write_proof(t, "run", c->ours, c->theirs, c->port, want);
	if (!hmac_equal(mac, want))
		return -EACCES;
	return 0;
}

static void caller_send_away(struct peer_caller *c, int err)
{
	const char *why = strerror(-err);

	if (err == -EACCES)
		why = "it does not know the token";
	log_warn("a caller was sent away: %s", why);
	close_fd(&c->fd);
}

void peer_door_open(struct peer_door *d)
{
	for (size_t i = 0; i < PEER_CALLERS; i++)
		d->caller[i].fd = -1;
}

/* A free place, or that of the one who has been silent for longest. */
static struct peer_caller *door_place(struct peer_door *d)
{
	struct peer_caller *oldest = &d->caller[0];

	for (size_t i = 0; i < PEER_CALLERS; i++) {
		struct peer_caller *c = &d->caller[i];

		if (c->fd < 0)
			return c;
		if (c->deadline_ns < oldest->deadline_ns)
			oldest = c;
	}
	caller_send_away(oldest, -EBUSY);
	return oldest;
}

void peer_door_add(struct peer_door *d, int fd)
{
	struct peer_caller *c = door_place(d);
	int err;

	*c = (struct peer_caller){.fd = fd, .deadline_ns = clock_ns() + LIMIT_NS};
	err = caller_greet(c);
	if (err)
		caller_send_away(c, err);
}

int peer_door_wait(const struct peer_door *d, struct pollfd *fds)
{
	int wait = -1;

	for (size_t i = 0; i < PEER_CALLERS; i++) {
		const struct peer_caller *c = &d->caller[i];

		fds[i] = (struct pollfd){c->fd, POLLIN, 0};
		if (c->fd >= 0 && (wait < 0 || ms_left(c->deadline_ns) < wait))
			wait = ms_left(c->deadline_ns);
	}
	return wait;
}

bool peer_door_next(struct peer_door *d, const struct peer_token *t, struct peer_caller *out)
{
	for (size_t i = 0; i < PEER_CALLERS; i++) {
		struct peer_caller *c = &d->caller[i];
		int err;

		if (c->fd < 0)
			continue;
		err = read_more(c->fd, c->line, &c->have);
		if (err == -EAGAIN && ms_left(c->deadline_ns))
			continue;
		if (!err)
			err = caller_check(c, t);
		if (!err) {
			*out = *c;
			c->fd = -1;
			return true;
		}
		caller_send_away(c, err == -EAGAIN ? -ETIMEDOUT : err);
	}
	return false;
}

void peer_door_close(struct peer_door *d)
{
	for (size_t i = 0; i < PEER_CALLERS; i++)
		close_fd(&d->caller[i].fd);
}

int peer_answer(struct peer_caller *c, const struct peer_token *t, const char *refusal)
{
	char mac[HMAC_HEX];

	if (refusal)
		return write_line(c->fd, xasprintf("refused %s\n", refusal));
	keep_alive(c->fd);
	write_proof(t, "peer", c->ours, c->theirs, c->port, mac);
	return write_line(c->fd, xasprintf("ready %s\n", mac));
}
