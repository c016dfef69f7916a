// SPDX-License-Identifier: MIT
#include "vmm/vhost/broker.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/proc.h"

#define BROKER_FD 0 /* its only descriptor, besides the socket that it has just made */

static int connect_to(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int sock, err;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock < 0)
		return -errno;
	if (connect(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		err = -errno;
		close(sock);
		return err;
	}
	return sock;
}

/* One message: how it went, and the socket when there is one. */
union control {
	char buf[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

static void send_answer(int sock)
{
	int err = MIN(sock, 0);
	union control control = {.buf = {0}};
	struct iovec iov = {&err, sizeof(err)};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

	if (sock >= 0) {
		struct cmsghdr *c;

		m.msg_control = control.buf;
		m.msg_controllen = sizeof(control.buf);
		c = CMSG_FIRSTHDR(&m);
		*c = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
		memcpy(CMSG_DATA(c), &sock, sizeof(sock));
	}
	if (sendmsg(BROKER_FD, &m, MSG_NOSIGNAL) < 0)
		_exit(1);
}

/* It outlives signals that end its parent, whose end it sees. */
static _Noreturn void broker_main(int channel, const char *path)
{
	char c;

	proc_stand_in(channel, BROKER_FD);
	while (read(BROKER_FD, &c, 1) == 1) {
		int sock = connect_to(path);

		send_answer(sock);
		close_fd(&sock);
	}
	_exit(0);
}

int vu_broker_start(struct vu_broker *b, const char *path)
{
	int pair[2], err = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	b->pid = fork();
	if (!b->pid)
		broker_main(pair[1], path);
	if (b->pid < 0)
		err = -errno;
	close(pair[1]);
	if (err)
		close(pair[0]);
	else
		b->channel = pair[0];
	return err;
}

void vu_broker_stop(struct vu_broker *b)
{
	if (b->channel < 0)
		return;
	close_fd(&b->channel);
	waitpid(b->pid, NULL, 0);
}

int vu_broker_connect(const struct vu_broker *b)
{
	int err = 0, sock = -1;
	union control control = {.buf = {0}};
	struct iovec iov = {&err, sizeof(err)};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1,
			   .msg_control = control.buf, .msg_controllen = sizeof(control.buf)};
	struct cmsghdr *c;

	if (write(b->channel, "", 1) != 1 || recvmsg(b->channel, &m, MSG_CMSG_CLOEXEC) != sizeof(err))
		return -ENOTCONN;
	if (err)
		return err;
	c = CMSG_FIRSTHDR(&m);
	if (!c || c->cmsg_type != SCM_RIGHTS)
		return -EPROTO;
	memcpy(&sock, CMSG_DATA(c), sizeof(sock));
	return sock;
}
