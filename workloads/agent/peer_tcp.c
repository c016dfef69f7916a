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
			set_bytes(set, false), set_bytes(set, true), set_bad(set), set_blocks(set),
			s->cpu_ns, s->wall_ns);
}

static int transfer(struct session *s, struct stream_set *set)
{
	char line[64];
	int err, n = talk_line(s->control, line, sizeof(line));

	if (n < 0 || strcmp(line, "go") != 0)
		return n < 0 ? n : -EPROTO;
	peer_clock_start(s);
	err = set_start(set);
	if (!err && !s->job.work) {
		n = talk_line(s->control, line, sizeof(line));
		err = n < 0 ? n : 0;
		set_stop(set);
	}
	err = err ? err : set_join(set);
	peer_clock_stop(s);
	/* Damage is reported with the numbers; the agent fails the sample. */
	return err && err != -EBADMSG ? err : say_result(s, set);
}

int peer_throughput(struct session *s)
{
	static struct stream_set set;
	int err;

	memset(&set, 0, sizeof(set));
	if (s->job.streams < 1 || s->job.streams > STREAM_MAX)
		return talk_say(s->control, "err streams must be 1 to %u", STREAM_MAX);
	err = talk_say(s->control, "ok");
	err = err ? err : accept_streams(s, &set);
	err = err ? err : transfer(s, &set);
	set_close(&set);
	return err;
}

/* Echo whole messages until the agent closes. */
int peer_latency(struct session *s)
{
	size_t size = s->job.msg_size ? s->job.msg_size : 1;
	unsigned char *buf = size <= 1u << 20 ? malloc(size) : NULL;
	struct talk_hello hello;
	int fd, err;

	if (!buf)
		return talk_say(s->control, "err msg_size too large");
	err = talk_say(s->control, "ok");
	fd = err ? err : peer_accept_data(s, &hello);
	err = fd < 0 ? fd : 0;
	peer_clock_start(s);
	while (!err) {
		err = talk_recv_all(fd, buf, size);
		err = err ? err : talk_send_all(fd, buf, size);
	}
	peer_clock_stop(s);
	if (fd >= 0)
		close(fd);
	free(buf);
	return err == -EPIPE || err == -ECONNRESET ? 0 : err;
}
