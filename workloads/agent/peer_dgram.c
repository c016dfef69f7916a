// SPDX-License-Identifier: MIT
/* The peer's side of workloads/dgram.h, for guests without TCP: one thread, one session at a time. */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "workloads/agent/peer.h"
#include "workloads/dgram.h"

#define BATCH 64

struct flow {
	int fd;
	struct sockaddr_in from;
	struct dgram_start job; /* of the session */
	struct dgram_result result;
	uint64_t flood_until; /* 0: nothing to send */
	unsigned char in[BATCH][DGRAM_MAX + 1], out[BATCH][DGRAM_MAX];
};

static bool data_ok(const struct flow *f, const unsigned char *p, size_t len)
{
	const size_t head = sizeof(struct dgram);
	uint64_t nr, tail;

	if (len != f->job.size)
		return false;
	memcpy(&nr, p + offsetof(struct dgram, nr), 8);
	memcpy(&tail, p + len - 8, 8);
	if (tail != ~nr)
		return false;
	/* Every byte of the body is the same: comparing it with itself, shifted by one, checks them all. */
	return !f->job.full || len == DGRAM_MIN ||
	       (p[head] == DGRAM_FILL && !memcmp(p + head, p + head + 1, len - head - 9));
}

static void start_session(struct flow *f, const unsigned char *p)
{
	struct dgram_start s;

	memcpy(&s, p, sizeof(s));
	/* The same number again means that our answer was lost: the session goes on. */
	if (s.head.nr != f->job.head.nr) {
		f->job = s;
		memset(&f->result, 0, sizeof(f->result));
		f->flood_until = 0;
		if (s.peer_sends && s.size >= DGRAM_MIN && s.size <= DGRAM_MAX)
			f->flood_until = clock_ns() + s.ns;
		memset(f->out, DGRAM_FILL, sizeof(f->out));
	}
}

static void answer_guest(struct flow *f, uint32_t op)
{
	f->result.head = (struct dgram){DGRAM_MAGIC, op, f->job.head.nr};
	sendto(f->fd, &f->result, sizeof(f->result), 0, (struct sockaddr *)&f->from, sizeof(f->from));
}

static void handle_datagram(struct flow *f, const unsigned char *p, size_t len)
{
	struct dgram d;

	if (len < DGRAM_MIN)
		return;
	memcpy(&d, p, sizeof(d));
	if (d.magic != DGRAM_MAGIC)
		return;
	if (d.op == DGRAM_DATA && data_ok(f, p, len)) {
		f->result.received++;
		f->result.bytes += len;
	} else if (d.op == DGRAM_DATA) {
		f->result.bad++;
	} else if (d.op == DGRAM_START && len >= sizeof(struct dgram_start)) {
		start_session(f, p);
		answer_guest(f, DGRAM_OK);
	} else if (d.op == DGRAM_STOP && d.nr == f->job.head.nr) {
		f->flood_until = 0;
		answer_guest(f, DGRAM_RESULT);
	}
}

/* Takes all that is there, and waits for the first only when there is nothing to send. */
static void receive_batch(struct flow *f)
{
	struct mmsghdr msg[BATCH] = {0};
	struct iovec iov[BATCH];
	struct sockaddr_in from[BATCH] = {0};
	int n;

	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){f->in[i], sizeof(f->in[i])};
		msg[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i],
						 .msg_iovlen = 1,
						 .msg_name = &from[i],
						 .msg_namelen = sizeof(from[i])};
	}
	n = recvmmsg(f->fd, msg, BATCH, f->flood_until ? MSG_DONTWAIT : MSG_WAITFORONE, NULL);
	for (int i = 0; i < n; i++) {
		f->from = from[i];
		handle_datagram(f, f->in[i], msg[i].msg_len);
	}
}

static void flood_guest(struct flow *f)
{
	struct mmsghdr msg[BATCH] = {0};
	struct iovec iov[BATCH];
	int n;

	for (unsigned i = 0; i < BATCH; i++) {
		struct dgram d = {DGRAM_MAGIC, DGRAM_DATA, f->result.sent + i};
		uint64_t tail = ~d.nr;

		memcpy(f->out[i], &d, sizeof(d));
		memcpy(f->out[i] + f->job.size - 8, &tail, 8);
		iov[i] = (struct iovec){f->out[i], f->job.size};
		msg[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i],
						 .msg_iovlen = 1,
						 .msg_name = &f->from,
						 .msg_namelen = sizeof(f->from)};
	}
	n = sendmmsg(f->fd, msg, BATCH, 0);
	f->result.sent += (uint64_t)MAX(n, 0);
	/* The next batch stamps its own numbers, and what was not sent now gets its number again. */
	for (unsigned i = 0; i < BATCH; i++)
		memset(f->out[i] + f->job.size - 8, DGRAM_FILL, 8);
	if (clock_ns() > f->flood_until)
		f->flood_until = 0;
}

static void *serve_datagrams(void *arg)
{
	struct flow *f = arg;

	for (;;) {
		receive_batch(f);
		if (f->flood_until)
			flood_guest(f);
	}
	return NULL;
}

int peer_dgram_start(uint64_t port)
{
	struct sockaddr_in any = {.sin_family = AF_INET,
				  .sin_port = htons((uint16_t)(port + DGRAM_PORT_OFFSET))};
	static struct flow f;
	pthread_t thread;

	f.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (f.fd < 0)
		return -errno;
	talk_udp_buffers(f.fd);
	if (bind(f.fd, (struct sockaddr *)&any, sizeof(any))) {
		int err = -errno;

		close_fd(&f.fd);
		return err;
	}
	return -pthread_create(&thread, NULL, serve_datagrams, &f);
}
