// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>

#include "base/clock.h"
#include "workloads/agent/udp.h"

struct datagram {
	uint32_t trial, tag;
	uint64_t number;
} __attribute__((packed));

size_t udp_size(const struct workload_job *job)
{
	size_t size = or_usual(job->msg_size, UDP_MIN);

	if (size < UDP_MIN || size > UDP_MAX)
		return 0;
	return size;
}

static unsigned char fill_byte(uint64_t number, uint32_t seed)
{
	return (unsigned char)(number * 167 + seed * 13 + 91);
}

static void write_datagram(unsigned char *buf, const struct udp_flow *f, uint64_t number)
{
	struct datagram d = {f->trial, ~f->trial ^ f->seed, number};

	memcpy(buf, &d, sizeof(d));
	memset(buf + sizeof(d), fill_byte(number, f->seed), f->size - sizeof(d));
}

/* All body bytes equal the one that the number gives: compare the body with itself shifted by one.
 */
static bool body_ok(const unsigned char *body, size_t len, unsigned char want)
{
	return !len || (body[0] == want && !memcmp(body, body + 1, len - 1));
}

static void count_datagram(struct udp_flow *f, const unsigned char *buf, size_t len)
{
	struct datagram d;

	if (len < sizeof(d))
		return;
	memcpy(&d, buf, sizeof(d));
	if (d.trial != f->trial)
		return;
	if (d.tag != (~f->trial ^ f->seed) || len != f->size ||
	    !body_ok(buf + sizeof(d), len - sizeof(d), fill_byte(d.number, f->seed))) {
		f->counts.bad++;
		return;
	}
	f->counts.reordered += d.number < f->expected;
	f->expected = MAX(f->expected, d.number + 1);
	f->counts.received++;
}

static void *receive_datagrams(void *arg)
{
	static const int flags = MSG_WAITFORONE;
	static unsigned char buf[UDP_BATCH][UDP_MAX + 1];
	struct udp_flow *f = arg;
	struct mmsghdr msg[UDP_BATCH] = {0};
	struct iovec iov[UDP_BATCH];

	for (int i = 0; i < UDP_BATCH; i++) {
		iov[i] = (struct iovec){buf[i], sizeof(buf[i])};
		msg[i].msg_hdr.msg_iov = &iov[i];
		msg[i].msg_hdr.msg_iovlen = 1;
	}
	while (!__atomic_load_n(&f->stop, __ATOMIC_RELAXED)) {
		int n = recvmmsg(f->fd, msg, UDP_BATCH, flags, NULL);

		pthread_mutex_lock(&f->lock);
		for (int i = 0; i < n; i++)
			count_datagram(f, buf[i], msg[i].msg_len);
		pthread_mutex_unlock(&f->lock);
	}
	return NULL;
}

int udp_start(struct udp_flow *f, int fd, const struct workload_job *job)
{
	struct timeval wake = {0, 50000};
	int err;

	*f = (struct udp_flow){.fd = fd, .size = udp_size(job), .seed = (uint32_t)job->seed};
	talk_udp_buffers(fd);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wake, sizeof(wake));
	pthread_mutex_init(&f->lock, NULL);
	err = pthread_create(&f->thread, NULL, receive_datagrams, f);
	f->started = !err;
	return -err;
}

void udp_stop(struct udp_flow *f)
{
	__atomic_store_n(&f->stop, true, __ATOMIC_RELAXED);
	if (f->started)
		pthread_join(f->thread, NULL);
	f->started = false;
}

void udp_begin_trial(struct udp_flow *f, uint32_t trial)
{
	pthread_mutex_lock(&f->lock);
	f->counts = (struct udp_counts){0, 0, 0};
	f->expected = 0;
	f->trial = trial;
	pthread_mutex_unlock(&f->lock);
}

static int send_batch(struct udp_flow *f, uint64_t number, unsigned n)
{
	static unsigned char buf[UDP_BATCH][UDP_MAX];
	struct mmsghdr msg[UDP_BATCH];
	struct iovec iov[UDP_BATCH];
	int sent;

	memset(msg, 0, n * sizeof(*msg));
	for (unsigned i = 0; i < n; i++) {
		write_datagram(buf[i], f, number + i);
		iov[i] = (struct iovec){buf[i], f->size};
		msg[i].msg_hdr.msg_iov = &iov[i];
		msg[i].msg_hdr.msg_iovlen = 1;
	}
	sent = sendmmsg(f->fd, msg, n, 0);
	if (sent >= 0)
		return sent;
	if (errno == EINTR || errno == ENOBUFS || errno == EAGAIN)
		return 0;
	return -errno;
}

int64_t udp_send(struct udp_flow *f, uint64_t rate, uint64_t ns)
{
	uint64_t t0 = clock_ns(), now, sent = 0;

	while ((now = clock_ns()) - t0 < ns) {
		uint64_t due = sent + UDP_BATCH;
		int n;

		if (rate)
			due = (uint64_t)((double)(now - t0) * (double)rate / 1e9) + 1;
		if (due <= sent) {
			/* Not below 50 us: shorter sleeps cost more than the burst that they avoid.
			 */
			clock_sleep_ns(MAX((uint64_t)(1e9 / (double)rate), 50 * NSEC_PER_USEC));
			continue;
		}
		n = send_batch(f, sent, (unsigned)MIN(due - sent, UDP_BATCH));
		if (n < 0)
			return n;
		sent += (uint64_t)n;
	}
	return (int64_t)sent;
}

static struct udp_counts counts_now(struct udp_flow *f)
{
	struct udp_counts c;

	pthread_mutex_lock(&f->lock);
	c = f->counts;
	pthread_mutex_unlock(&f->lock);
	return c;
}

struct udp_counts udp_settle(struct udp_flow *f)
{
	uint64_t deadline = clock_ns() + NSEC_PER_SEC;
	struct udp_counts before, after = counts_now(f);

	do {
		before = after;
		clock_sleep_ns(30 * NSEC_PER_MSEC);
		after = counts_now(f);
	} while (after.received != before.received && clock_ns() < deadline);
	return after;
}
