// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "workloads/agent/stream.h"

#define HEADER	    16u
#define SEND_BUFFER (256u << 10)
#define RECV_BUFFER (256u << 10)

struct header {
	uint64_t number, tag;
};

static uint64_t mix_bits(uint64_t x)
{
	x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdull;
	x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53ull;
	return x ^ (x >> 33);
}

void stream_pattern(unsigned char *block, uint32_t seed)
{
	for (uint32_t i = 0; i < STREAM_BLOCK; i += 8) {
		uint64_t v = mix_bits(((uint64_t)seed << 32) + i + 1);

		memcpy(block + i, &v, sizeof(v));
	}
}

void stream_stamp(unsigned char *block, uint64_t number, uint32_t index, uint32_t seed)
{
	struct header h = {number, (uint64_t)index << 32 | seed};

	memcpy(block, &h, sizeof(h));
}

bool stream_block_ok(const unsigned char *block, const unsigned char *pattern, uint64_t number,
		     uint32_t index, uint32_t seed, int verify)
{
	struct header h, want = {number, (uint64_t)index << 32 | seed};

	if (verify == JOB_VERIFY_OFF)
		return true;
	memcpy(&h, block, sizeof(h));
	if (h.number != want.number || h.tag != want.tag)
		return false;
	/* The first blocks are always compared, so that little fixed work does not go unchecked. */
	if (verify == JOB_VERIFY_SAMPLE && number >= 4 && mix_bits(number ^ seed) % 16)
		return true;
	return !memcmp(block + HEADER, pattern + HEADER, STREAM_BLOCK - HEADER);
}

uint64_t stream_bytes(const struct stream *s)
{
	return __atomic_load_n(&s->bytes, __ATOMIC_RELAXED);
}

static int read_info(const struct stream *s, struct tcp_info *info)
{
	socklen_t len = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, info, &len);
}

struct stream_sending stream_sending(const struct stream *s)
{
	struct tcp_info info;

	if (read_info(s, &info))
		return (struct stream_sending){0};
	return (struct stream_sending){
		.cwnd_bytes = (uint64_t)info.tcpi_snd_cwnd * info.tcpi_snd_mss,
		.retransmits = info.tcpi_total_retrans,
		.receiver_us = info.tcpi_rwnd_limited,
		.buffer_us = info.tcpi_sndbuf_limited,
	};
}

struct stream_progress stream_progress(const struct stream *s)
{
	struct tcp_info info;
	uint64_t in;

	if (read_info(s, &info))
		return (struct stream_progress){0, 0};
	if (s->sender)
		return (struct stream_progress){info.tcpi_bytes_acked,
						(uint64_t)info.tcpi_segs_out + info.tcpi_segs_in};
	in = info.tcpi_bytes_received / MAX(info.tcpi_rcv_mss, 1u);
	return (struct stream_progress){stream_bytes(s), info.tcpi_segs_out + in};
}

static void add_bytes(struct stream *s, uint64_t n)
{
	__atomic_store_n(&s->bytes, s->bytes + n, __ATOMIC_RELAXED);
}

static bool stream_stopped(const struct stream *s)
{
	return __atomic_load_n(s->stop, __ATOMIC_RELAXED);
}

/* The blocks whose first byte lies in the next len bytes get their header; the kernel has copied
 * what was there before. */
static void stamp_range(struct stream *s, unsigned char *buf, uint64_t size, uint64_t len)
{
	for (uint64_t off = align_up(s->bytes, STREAM_BLOCK); off < s->bytes + len; off += STREAM_BLOCK) {
		uint64_t number = off / STREAM_BLOCK;

		stream_stamp(buf + off % size, number, s->index, s->seed);
		if (s->corrupt && (number == 3 || number == 3 + size / STREAM_BLOCK))
			buf[off % size + 4242] ^= 1; /* and back when this place is used again */
	}
}

static int send_some(struct stream *s, unsigned char *buf, uint64_t size, uint64_t len)
{
	uint64_t at = s->bytes % size, first = MIN(len, size - at);
	struct iovec iov[2] = {{buf + at, first}, {buf, len - first}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 1 + (len > first)};
	ssize_t n;

	stamp_range(s, buf, size, len);
	n = sendmsg(s->fd, &msg, MSG_NOSIGNAL);
	if (n < 0)
		return talk_errno();
	add_bytes(s, (uint64_t)n);
	return 0;
}

static int send_all(struct stream *s)
{
	uint64_t msg = MIN(or_usual(s->msg_size, 128 << 10), STREAM_MSG_MAX);
	uint64_t size = MAX(SEND_BUFFER, align_up(msg, STREAM_BLOCK) + STREAM_BLOCK);
	uint64_t limit = or_usual(s->limit, UINT64_MAX);
	unsigned char *buf = malloc(size);
	int err = buf ? 0 : -ENOMEM;

	for (uint64_t off = 0; !err && off < size; off += STREAM_BLOCK) {
		if (off)
			memcpy(buf + off, buf, STREAM_BLOCK);
		else
			stream_pattern(buf, s->seed);
	}
	while (!err && !stream_stopped(s) && s->bytes < limit)
		err = send_some(s, buf, size, MIN(msg, limit - s->bytes));
	shutdown(s->fd, SHUT_WR);
	free(buf);
	return err;
}

/* Check the blocks that became complete; the last, partial one of a stream is checked by its length alone. */
static void check_blocks(struct stream *s, const unsigned char *buf, const unsigned char *pattern,
			 uint64_t before, uint64_t after)
{
	for (uint64_t b = before / STREAM_BLOCK; b < after / STREAM_BLOCK; b++) {
		const unsigned char *block = buf + b * STREAM_BLOCK % RECV_BUFFER;

		s->blocks_checked++;
		if (!stream_block_ok(block, pattern, b, s->index, s->seed, s->verify))
			s->bad++;
	}
}

static int receive_all(struct stream *s)
{
	unsigned char *buf = malloc(RECV_BUFFER + STREAM_BLOCK), *pattern = buf + RECV_BUFFER;
	int err = buf ? 0 : -ENOMEM;

	if (!err)
		stream_pattern(pattern, s->seed);
	while (!err) {
		uint64_t at = s->bytes % RECV_BUFFER;
		ssize_t n = recv(s->fd, buf + at, RECV_BUFFER - at, 0);

		if (!n)
			break;
		if (n < 0) {
			err = talk_errno();
			continue;
		}
		check_blocks(s, buf, pattern, s->bytes, s->bytes + (uint64_t)n);
		add_bytes(s, (uint64_t)n);
	}
	free(buf);
	return err;
}

static void *stream_thread(void *arg)
{
	struct stream *s = arg;

	if (s->sender)
		s->err = send_all(s);
	else
		s->err = receive_all(s);
	return NULL;
}

int stream_start(struct stream *s)
{
	int err = pthread_create(&s->thread, NULL, stream_thread, s);

	s->started = !err;
	return -err;
}

void stream_join(struct stream *s)
{
	if (s->started)
		pthread_join(s->thread, NULL);
	s->started = false;
}
