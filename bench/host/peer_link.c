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

#define LINE_MAX_LEN  256
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

/* Reads byte by byte, because what follows the line belongs to another reader. */
static int read_line(int fd, char line[LINE_MAX_LEN], uint64_t deadline_ns)
{
	for (size_t n = 0; n < LINE_MAX_LEN - 1; n++) {
		struct pollfd p = {fd, POLLIN, 0};
		uint64_t left = sub_floor(deadline_ns, clock_ns());
		ssize_t got;

		if (!left || poll(&p, 1, (int)(left / NSEC_PER_MSEC) + 1) <= 0)
			return -ETIMEDOUT;
		got = read(fd, line + n, 1);
		if (got < 0)
			return -errno;
		if (!got)
			return -EPIPE;
		if (line[n] == '\n') {
			line[n] = '\0';
			return 0;
		}
	}
	return -EMSGSIZE;
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
static int introduce_us(int fd, const struct peer_token *t, unsigned work_port, char line[LINE_MAX_LEN],
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
	char line[LINE_MAX_LEN];
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

int peer_greet(struct peer_caller *c, const struct peer_token *t)
{
	uint64_t deadline = clock_ns() + LIMIT_NS;
	char line[LINE_MAX_LEN], mac[HMAC_HEX] = "", want[HMAC_HEX];
	int err = hmac_nonce(c->ours);

	if (!err)
		err = write_line(c->fd, xasprintf(GREETING " %s\n", c->ours));
	if (!err)
		err = read_line(c->fd, line, deadline);
	if (err)
		return err;
	if (sscanf(line, "hello %64[0-9a-f] %u %64[0-9a-f]", c->theirs, &c->port, mac) != 3 ||
	    !c->port || c->port > 65535)
		return -EPROTO;
	write_proof(t, "run", c->ours, c->theirs, c->port, want);
	if (!hmac_equal(mac, want))
		return -EACCES;
	return 0;
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
