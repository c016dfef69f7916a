// SPDX-License-Identifier: MIT
#include "bench/profile/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

struct client {
	int fd; /* -1: free */
	uint64_t since_ns;
	char request[LISTENER_REQUEST + 1];
	size_t len;
	struct strbuf answer;
	size_t sent;
};

struct listener {
	int fd;
	struct client client[LISTENER_CLIENTS];
};

/* ---- opening ---- */

/* Host and port of ADDR:PORT; the host is NULL when it is left out. False: no port. */
static bool addr_split(char *addr, char **host, char **port)
{
	char *colon = strrchr(addr, ':'), *end;
	uint64_t number;

	/* getaddrinfo takes 99999 for 34463. */
	if (!colon || parse_u64(colon + 1, &number) || number > UINT16_MAX)
		return false;
	*colon = '\0';
	*port = colon + 1;
	*host = *addr ? addr : NULL;
	end = colon - 1;
	if (*addr == '[' && *end == ']') {
		*end = '\0';
		*host = addr + 1;
	}
	return true;
}

static int socket_listen(const struct addrinfo *a)
{
	int one = 1, fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	err = errno_if(bind(fd, a->ai_addr, a->ai_addrlen) || listen(fd, LISTENER_CLIENTS));
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int addr_listen(const char *addr)
{
	const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
				       .ai_socktype = SOCK_STREAM};
	char *copy = xstrdup(addr), *host, *port;
	struct addrinfo *a = NULL;
	int fd = -EINVAL;

	if (!addr_split(copy, &host, &port) || getaddrinfo(host, port, &hints, &a))
		log_error("--listen=%s: expected ADDR:PORT with numbers, as 127.0.0.1:9464 or [::1]:9464", addr);
	else if ((fd = socket_listen(a)) < 0)
		log_error("--listen=%s: %s", addr, strerror(-fd));
	if (a)
		freeaddrinfo(a);
	free(copy);
	return fd;
}

int listener_open(struct listener **out, const char *addr)
{
	int fd = addr_listen(addr);

	if (fd < 0)
		return fd;
	*out = xcalloc(1, sizeof(**out));
	(*out)->fd = fd;
	for (size_t i = 0; i < LISTENER_CLIENTS; i++)
		(*out)->client[i].fd = -1;
	return 0;
}

unsigned listener_port(const struct listener *l)
{
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);

	if (getsockname(l->fd, (struct sockaddr *)&at, &len))
		return 0;
	if (at.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&at)->sin6_port);
	return ntohs(((struct sockaddr_in *)&at)->sin_port);
}

/* ---- clients ---- */

static void client_end(struct client *c)
{
	close_fd(&c->fd);
	strbuf_free(&c->answer);
	c->len = c->sent = 0;
}

static void client_accept(struct listener *l)
{
	struct client *c = &l->client[0];
	int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	for (size_t i = 0; i < LISTENER_CLIENTS; i++) {
		if (l->client[i].fd < 0) {
			c = &l->client[i];
			break;
		}
		if (l->client[i].since_ns < c->since_ns)
			c = &l->client[i];
	}
	client_end(c);
	c->fd = fd;
	c->since_ns = clock_ns();
}

static void client_answer(struct client *c, const char *status, const struct strbuf *body)
{
	strbuf_addf(&c->answer,
		    "HTTP/1.1 %s\r\nContent-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"
		    "Content-Length: %zu\r\nConnection: close\r\n\r\n",
		    status, body->len);
	strbuf_add(&c->answer, strbuf_str(body), body->len);
}

static const char *request_status(const char *request)
{
	if (strncmp(request, "GET ", 4))
		return "405 Method Not Allowed";
	if (strncmp(request + 4, "/metrics ", 9) && strncmp(request + 4, "/metrics?", 9))
		return "404 Not Found";
	return NULL;
}

static void request_serve(struct client *c, void (*page)(void *ctx, struct strbuf *out), void *ctx)
{
	const char *status = request_status(c->request);
	struct strbuf body = STRBUF_INIT;

	if (!status) {
		status = "200 OK";
		page(ctx, &body);
	}
	client_answer(c, status, &body);
	strbuf_free(&body);
}

/* True when the request is whole, or will never be. */
static bool client_read(struct client *c)
{
	ssize_t n = recv(c->fd, c->request + c->len, LISTENER_REQUEST - c->len, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		client_end(c);
		return false;
	}
	c->len += (size_t)n;
	c->request[c->len] = '\0';
	if (strstr(c->request, "\r\n\r\n") || strstr(c->request, "\n\n"))
		return true;
	if (c->len == LISTENER_REQUEST)
		client_end(c);
	return false;
}

/* What still comes in is read and thrown away, or closing would make the answer of it a reset. */
static void client_write(struct client *c)
{
	ssize_t n = send(c->fd, c->answer.buf + c->sent, c->answer.len - c->sent, MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		c->sent += (size_t)n;
	if (n > 0 && c->sent < c->answer.len)
		return;
	shutdown(c->fd, SHUT_WR);
	while (recv(c->fd, c->request, LISTENER_REQUEST, MSG_DONTWAIT) > 0)
		;
	client_end(c);
}

static void client_attend(struct client *c, void (*page)(void *ctx, struct strbuf *out), void *ctx)
{
	if (!c->answer.len && client_read(c))
		request_serve(c, page, ctx);
	if (c->fd >= 0 && c->answer.len)
		client_write(c);
}

/* ---- serving ---- */

static void listener_poll(struct listener *l, int ms, void (*page)(void *ctx, struct strbuf *out), void *ctx)
{
	struct pollfd p[LISTENER_CLIENTS + 1] = {{l->fd, POLLIN, 0}};

	for (size_t i = 0; i < LISTENER_CLIENTS; i++)
		p[i + 1] = (struct pollfd){l->client[i].fd, l->client[i].answer.len ? POLLOUT : POLLIN, 0};
	if (poll(p, ARRAY_SIZE(p), ms) < 0)
		return;
	for (size_t i = 0; i < LISTENER_CLIENTS; i++) {
		struct client *c = &l->client[i];

		if (c->fd >= 0 && p[i + 1].revents)
			client_attend(c, page, ctx);
		if (c->fd >= 0 && clock_ns() - c->since_ns > LISTENER_LIMIT_NS)
			client_end(c);
	}
	if (p[0].revents)
		client_accept(l);
}

void listener_serve(struct listener *l, uint64_t ns, void (*page)(void *ctx, struct strbuf *out), void *ctx)
{
	uint64_t end = clock_ns() + ns, now;

	if (!l)
		usleep((useconds_t)(ns / 1000 + 1));
	while (l && (now = clock_ns()) < end)
		listener_poll(l, (int)((end - now) / NSEC_PER_MSEC + 1), page, ctx);
}

void listener_close(struct listener *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < LISTENER_CLIENTS; i++)
		client_end(&l->client[i]);
	close(l->fd);
	free(l);
}
