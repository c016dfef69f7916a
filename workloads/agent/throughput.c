// SPDX-License-Identifier: MIT
/* net-throughput: the agent's side. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "workloads/agent/throughput.h"

/* How much of the fixed work falls to a stream; the first takes the remainder. 0 means no limit. */
static uint64_t share_of_work(const struct workload_job *job, uint32_t index)
{
	uint64_t streams = MAX(job->streams, 1u);

	if (index)
		return job->work / streams;
	return job->work / streams + job->work % streams;
}

void set_add(struct stream_set *set, const struct workload_job *job, int fd, bool sender, uint32_t index)
{
	set->s[set->n++] = (struct stream){
		.fd = fd,
		.sender = sender,
		.index = index,
		.seed = (uint32_t)job->seed,
		.verify = job->verify,
		.corrupt = job->corrupt && sender,
		.msg_size = job->msg_size,
		.limit = share_of_work(job, index),
		.stop = &set->stop,
	};
}

int set_start(struct stream_set *set)
{
	int err = 0;

	for (unsigned i = 0; !err && i < set->n; i++)
		err = stream_start(&set->s[i]);
	return err;
}

void set_stop(struct stream_set *set)
{
	__atomic_store_n(&set->stop, true, __ATOMIC_RELAXED);
}

static void set_join_side(struct stream_set *set, bool sender)
{
	for (unsigned i = 0; i < set->n; i++) {
		if (set->s[i].sender == sender)
			stream_join(&set->s[i]);
	}
}

int set_join(struct stream_set *set)
{
	int err = 0;

	for (unsigned i = 0; i < set->n; i++) {
		stream_join(&set->s[i]);
		if (!err)
			err = set->s[i].err;
	}
	if (!err && set_bad(set))
		err = -EBADMSG;
	return err;
}

void set_close(struct stream_set *set)
{
	/* Threads may still sit in the kernel when we come here after an error. */
	for (unsigned i = 0; i < set->n; i++)
		shutdown(set->s[i].fd, SHUT_RDWR);
	set_stop(set);
	for (unsigned i = 0; i < set->n; i++) {
		stream_join(&set->s[i]);
		close(set->s[i].fd);
	}
	set->n = 0;
}

uint64_t set_bytes(const struct stream_set *set, bool sender)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < set->n; i++) {
		if (set->s[i].sender == sender)
			sum += stream_bytes(&set->s[i]);
	}
	return sum;
}

uint64_t set_bad(const struct stream_set *set)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < set->n; i++)
		sum += set->s[i].bad;
	return sum;
}

uint64_t set_blocks(const struct stream_set *set)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < set->n; i++)
		sum += set->s[i].blocks_checked;
	return sum;
}

static int connect_all(struct agent *a, struct stream_set *set)
{
	unsigned tx = streams_tx(&a->job), n = tx + streams_rx(&a->job);

	for (unsigned i = 0; i < n; i++) {
		bool sender = i < tx;
		uint32_t index = sender ? i : i - tx;
		struct talk_hello hello = {TALK_MAGIC, TALK_DATA, !sender, index, 0};
		int fd = talk_connect(&a->job, &hello, 5 * NSEC_PER_SEC);

		if (fd < 0)
			return agent_fail(fd, "stream %u: no connection: %s", i, strerror(-fd));
		set_add(set, &a->job, fd, sender, index);
	}
	return 0;
}

struct totals {
	uint64_t tx, rx, wire_packets;
};

static struct totals bytes_arrived(const struct stream_set *set)
{
	struct totals t = {0};

	for (unsigned i = 0; i < set->n; i++) {
		struct stream_progress p = stream_progress(&set->s[i]);

		if (set->s[i].sender)
			t.tx += p.bytes;
		else
			t.rx += p.bytes;
		t.wire_packets += p.wire_packets;
	}
	return t;
}

/* All of the guest's senders. */
static struct stream_sending sending_of(const struct stream_set *set)
{
	struct stream_sending sum = {0};

	for (unsigned i = 0; i < set->n; i++) {
		struct stream_sending one;

		if (!set->s[i].sender)
			continue;
		one = stream_sending(&set->s[i]);
		sum.cwnd_bytes += one.cwnd_bytes;
		sum.retransmits += one.retransmits;
		sum.receiver_us += one.receiver_us;
		sum.buffer_us += one.buffer_us;
	}
	return sum;
}

/* Why a stream was no faster, as far as TCP can tell: with none of the three it was the path. */
static void report_sending(const struct window *w, unsigned senders, const struct stream_sending *from,
			   const struct stream_sending *to)
{
	double us = (double)window_ns(w) / 1e3 * senders;

	if (!senders)
		return;
	report_metric("tcp_window_bytes", (double)to->cwnd_bytes / senders);
	report_metric("tcp_retransmits", (double)(to->retransmits - from->retransmits));
	report_metric("tcp_receiver_limited_pct", 100.0 * (double)(to->receiver_us - from->receiver_us) / us);
	report_metric("tcp_buffer_limited_pct", 100.0 * (double)(to->buffer_us - from->buffer_us) / us);
}

/* Both ends must have seen the same bytes, and all of them intact. */
static int compare_ends(const struct stream_set *set, const char *result)
{
	uint64_t sent = set_bytes(set, true), got = set_bytes(set, false);
	uint64_t peer_got = talk_value(result, "rx"), peer_sent = talk_value(result, "tx");
	uint64_t bad = set_bad(set) + talk_value(result, "bad");

	if (bad)
		return agent_fail(-EBADMSG, "integrity: %" PRIu64 " damaged blocks of 64 KiB", bad);
	if (sent != peer_got || got != peer_sent)
		return agent_fail(-EBADMSG,
				  "integrity: sent %" PRIu64 " of which %" PRIu64
				  " arrived, received %" PRIu64 " of %" PRIu64 " bytes",
				  sent, peer_got, got, peer_sent);
	return 0;
}

static void report_throughput(struct agent *a, const struct window *w, struct totals moved, uint64_t blocks,
			      const char *result)
{
	double s = (double)window_ns(w) / 1e9;
	uint64_t peer_ns = talk_value(result, "ns");

	report_metric("throughput_bps", (double)(moved.tx + moved.rx) * 8 / s);
	if (a->job.direction == JOB_BOTH) {
		report_metric("throughput_tx_bps", (double)moved.tx * 8 / s);
		report_metric("throughput_rx_bps", (double)moved.rx * 8 / s);
	}
	report_metric("bytes", (double)(moved.tx + moved.rx));
	report_metric("wire_packets", (double)moved.wire_packets);
	report_metric("checked_blocks", (double)(blocks + talk_value(result, "blocks")));
	if (peer_ns)
		report_metric("peer_cpu_pct", 100.0 * (double)talk_value(result, "cpu_ns") / (double)peer_ns);
	window_report(a, w, 0);
}

static bool job_rebinds(const struct agent *a)
{
	return !strcmp(a->job.workload, "net-rebind");
}

/* After so much TCP has measured a new round trip; before, each outage doubles the wait after the next. */
#define ROUND_BYTES (4u << 20)

static bool moved_enough(const struct workload_job *job, const struct totals *from, const struct totals *to)
{
	return (!streams_tx(job) || to->tx - from->tx >= ROUND_BYTES) &&
	       (!streams_rx(job) || to->rx - from->rx >= ROUND_BYTES);
}

/* net-rebind: the driver leaves the device and comes back, again and again; after each time both
 * directions must move. */
static int rebind_rounds(struct agent *a, const struct stream_set *set)
{
	int err = 0;

	for (uint64_t i = 0; i < a->job.rounds; i++) {
		struct totals before, now;
		uint64_t deadline;

		err = netdev_rebind(a);
		before = bytes_arrived(set);
		deadline = clock_ns() + TALK_STALL_S * NSEC_PER_SEC; /* TCP may have backed off */
		do {
			clock_sleep_ns(10 * NSEC_PER_MSEC);
			now = bytes_arrived(set);
			if (!err && clock_ns() > deadline)
				err = agent_fail(-ETIMEDOUT,
						 "round %" PRIu64 ": since the driver came back %" PRIu64
						 " bytes left and %" PRIu64 " arrived",
						 i + 1, now.tx - before.tx, now.rx - before.rx);
		} while (!err && !moved_enough(&a->job, &before, &now));
		if (err)
			break;
		report_note("round %" PRIu64 " of %" PRIu64, i + 1, a->job.rounds);
		report_flush(); /* inside the window, but nothing is measured in this one */
	}
	return err;
}

/* With timestamps each outage counts as a round trip, and the next retransmission waits for as long. */
static void no_timestamps(void)
{
	file_write("/proc/sys/net/ipv4/tcp_timestamps", "0");
}

static int timed_window(struct agent *a, struct stream_set *set, struct window *w, struct totals *moved)
{
	struct stream_sending s0, s1;
	struct totals t0, t1;
	int err = 0;

	clock_sleep_ns(a->job.warmup_ns);
	s0 = sending_of(set);
	window_open(a, w);
	t0 = bytes_arrived(set);
	if (job_rebinds(a))
		err = rebind_rounds(a, set);
	else
		clock_sleep_ns(a->job.duration_ns);
	t1 = bytes_arrived(set);
	window_close(a, w);
	s1 = sending_of(set);
	report_sending(w, streams_tx(&a->job), &s0, &s1);
	*moved = (struct totals){t1.tx - t0.tx, t1.rx - t0.rx, t1.wire_packets - t0.wire_packets};
	if (!err && !(moved->tx + moved->rx))
		err = agent_fail(-EIO, "nothing moved in the window");
	return err;
}

static int finish_streams(int control, struct stream_set *set, char *result, size_t size)
{
	int err;

	set_stop(set);
	set_join_side(set, true);
	err = talk_say(control, "stop");
	if (err)
		return agent_fail(err, "peer went away: %s", strerror(-err));
	err = set_join(set);
	if (err && err != -EBADMSG)
		return agent_fail(err, "a stream broke off: %s", strerror(-err));
	return talk_expect(control, "result", result, size);
}

/* Fixed work: the window is from the first byte until the receiving side has verified the last one.
 */
static int fixed_work(struct agent *a, int control, struct stream_set *set, struct window *w,
		      struct totals *moved, char *result, size_t size)
{
	int err;

	window_open(a, w);
	err = talk_say(control, "go");
	if (!err)
		err = set_start(set);
	if (err)
		return agent_fail(err, "start: %s", strerror(-err));
	err = set_join(set);
	if (err && err != -EBADMSG)
		return agent_fail(err, "a stream broke off: %s", strerror(-err));
	err = talk_expect(control, "result", result, size);
	window_close(a, w);
	*moved =
		(struct totals){set_bytes(set, true), set_bytes(set, false), bytes_arrived(set).wire_packets};
	return err;
}

static int transfer_streams(struct agent *a, int control, struct stream_set *set)
{
	struct window w = {0};
	struct totals moved = {0};
	char result[256];
	int err;

	agent_ready(a);
	if (a->job.work) {
		err = fixed_work(a, control, set, &w, &moved, result, sizeof(result));
	} else {
		err = talk_say(control, "go");
		if (!err)
			err = set_start(set);
		if (err)
			return agent_fail(err, "start: %s", strerror(-err));
		err = timed_window(a, set, &w, &moved);
		if (!err)
			err = finish_streams(control, set, result, sizeof(result));
	}
	if (!err)
		err = compare_ends(set, result);
	if (!err)
		report_throughput(a, &w, moved, set_blocks(set), result);
	return err;
}

int run_throughput(struct agent *a)
{
	static struct stream_set set;
	int control, err;

	if (a->job.streams < 1 || a->job.streams > STREAM_MAX || a->job.msg_size > STREAM_MSG_MAX)
		return agent_fail(-EINVAL, "streams must be 1 to %u, msg_size at most %u", STREAM_MAX,
				  STREAM_MSG_MAX);
	control = talk_control(a);
	if (control < 0)
		return control;
	if (a->job.tool == JOB_IPERF3) {
		err = iperf_run(a);
	} else {
		if (job_rebinds(a))
			no_timestamps();
		err = connect_all(a, &set);
		if (!err)
			err = transfer_streams(a, control, &set);
		set_close(&set);
	}
	close(control);
	/* The other row of every comparison of paths, from the same boot. With job.start_together others
	 * may still be in their window. */
	if (!err && !job_rebinds(a) && !a->job.start_together)
		err = latency_when_quiet(a);
	return err;
}
