// SPDX-License-Identifier: MIT
/* The peer's side of net-throughput and net-latency. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "workloads/agent/peer.h"
#include "workloads/agent/throughput.h"

static int accept_streams(struct session *s, struct stream_set *set)
{
	unsigned n = streams_tx(&s->job) + streams_rx(&s->job);

	for (unsigned i = 0; i < n; i++) {
		struct talk_hello hello;
		int fd = peer_accept_data(s, &hello);

		if (fd < 0)
			return fd;
		set_add(set, &s->job, fd, hello.sender, hello.index);
	}
	return 0;
}

static int say_result(struct session *s, const struct stream_set *set)
{
	return talk_say(s->control,
			"result rx=%" PRIu64 " tx=%" PRIu64 " bad=%" PRIu64 " blocks=%" PRIu64
			" cpu_ns=%" PRIu64 " ns=%" PRIu64,
			set_bytes(set, false), set_bytes(set, true), set_bad(set), set_blocks(set), s->cpu_ns,
			s->wall_ns);
}

static int transfer_streams(struct session *s, struct stream_set *set)
{
	char line[64];
	int err, n = talk_line(s->control, line, sizeof(line));

	if (n < 0)
		return n;
	if (strcmp(line, "go") != 0)
		return -EPROTO;
	peer_clock_start(s);
	err = set_start(set);
	if (!err && !s->job.work) {
		n = talk_line(s->control, line, sizeof(line));
		err = MIN(n, 0);
		set_stop(set);
	}
	if (!err)
		err = set_join(set);
	peer_clock_stop(s);
	/* Damage is reported with the numbers; the agent fails the sample. */
	if (err && err != -EBADMSG)
		return err;
	return say_result(s, set);
}

int peer_throughput(struct session *s)
{
	static struct stream_set set;
	int err;

	memset(&set, 0, sizeof(set));
	if (s->job.streams < 1 || s->job.streams > STREAM_MAX)
		return talk_say(s->control, "err streams must be 1 to %u", STREAM_MAX);
	err = talk_say(s->control, "ok");
	if (!err)
		err = accept_streams(s, &set);
	if (!err)
		err = transfer_streams(s, &set);
	set_close(&set);
	return err;
}

/* Echo whole messages until the agent closes. */
int peer_latency(struct session *s)
{
	size_t size = or_usual(s->job.msg_size, 1);
	unsigned char *buf = NULL;
	struct talk_hello hello;
	int fd = -1, err;

	if (size <= 1u << 20)
		buf = malloc(size);
	if (!buf)
		return talk_say(s->control, "err msg_size too large");
	err = talk_say(s->control, "ok");
	if (!err) {
		fd = peer_accept_data(s, &hello);
		err = MIN(fd, 0);
	}
	peer_clock_start(s);
	while (!err) {
		err = talk_recv_all(fd, buf, size);
		if (!err)
			err = talk_send_all(fd, buf, size);
	}
	peer_clock_stop(s);
	if (fd >= 0)
		close(fd);
	free(buf);
	if (err == -EPIPE || err == -ECONNRESET)
		return 0; /* the agent has all it wanted */
	return err;
}
