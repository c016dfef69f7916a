// SPDX-License-Identifier: MIT
/*
 * net-throughput: datagrams of one size to the peer or from it (workloads/dgram.h), as fast as the path
 * takes them.
 */
#include <string.h>

#include "workloads/micro/net.h"

#define ASK_NS  (5000 * NS_PER_MS)
#define WAIT_NS (100 * NS_PER_MS) /* for an answer, before it is asked again */

static struct {
	struct net net;
	struct dgram_result answer; /* the peer's last control datagram */
	bool answered;
	uint64_t session, port;
	bool full;
	unsigned size;
	/* What came in. */
	uint64_t packets, bytes, bad, lost, next;
} t;

static bool data_ok(const uint8_t *p, unsigned len)
{
	const struct dgram *d = (const void *)p;
	uint64_t tail;

	memcpy(&tail, p + len - 8, 8);
	if (len != t.size || tail != ~d->nr)
		return false;
	for (unsigned i = sizeof(*d); t.full && i < len - 8; i++)
		if (p[i] != DGRAM_FILL)
			return false;
	return true;
}

static void on_datagram(void *arg, const void *payload, unsigned len)
{
	const struct dgram *d = payload;

	(void)arg;
	if (len < DGRAM_MIN || d->magic != DGRAM_MAGIC)
		return;
	if (d->op != DGRAM_DATA) {
		t.answered |= d->nr == t.session;
		memcpy(&t.answer, payload, MIN(len, sizeof(t.answer)));
		return;
	}
	if (!data_ok(payload, len)) {
		t.bad++;
		return;
	}
	t.lost += sub_floor(d->nr, t.next);
	t.next = d->nr + 1;
	t.packets++;
	t.bytes += len;
}

static bool answered_within(uint64_t ns, uint32_t op)
{
	uint64_t end = rdtsc() + ns_to_tsc(ns);

	while (rdtsc() < end) {
		net_poll(&t.net);
		if (t.answered && t.answer.head.op == op)
			return true;
	}
	return false;
}

/*
 * Say it until the peer answers with op. A full ring is tried again like a lost answer: on a busy host the
 * device's thread now and then gets no CPU for longer than net_send waits.
 */
static int ask_peer(const void *msg, unsigned len, uint32_t op)
{
	uint64_t end = rdtsc() + ns_to_tsc(ASK_NS);
	bool sent = false;

	t.answered = false;
	while (rdtsc() < end) {
		sent = net_send(&t.net, msg, len);
		if (sent && answered_within(WAIT_NS, op))
			return 0;
	}
	if (sent)
		return report_fail("net: the peer does not answer on port %lu", t.port);
	return report_fail("net: the card takes no more frames (port %lu)", t.port);
}

static int start_peer(bool peer_sends, uint64_t ns)
{
	struct dgram_start s = {
		.head = {DGRAM_MAGIC, DGRAM_START, ++t.session},
		.peer_sends = peer_sends,
		.size = t.size,
		.ns = ns,
		.full = t.full,
	};

	t.packets = t.bytes = t.bad = t.lost = t.next = 0;
	return ask_peer(&s, sizeof(s), DGRAM_OK);
}

static int stop_peer(void)
{
	struct dgram_result s = {.head = {DGRAM_MAGIC, DGRAM_STOP, t.session}};

	return ask_peer(&s, sizeof(s), DGRAM_RESULT);
}

/* As many as fit into the ring at a time, one kick each time; how many. */
static uint64_t send_for(uint64_t ns)
{
	uint64_t end = rdtsc() + ns_to_tsc(ns), nr = 0;

	while (rdtsc() < end) {
		unsigned room = t.net.nic.ops->tx_room(&t.net.nic);

		for (; room; room--, nr++) {
			struct dgram d = {DGRAM_MAGIC, DGRAM_DATA, nr};
			uint64_t tail = ~nr;
			uint8_t *p = net_payload(&t.net, t.size);

			memcpy(p, &d, sizeof(d));
			memcpy(p + t.size - 8, &tail, 8);
			net_push(&t.net, t.size);
		}
		t.net.nic.ops->tx_kick(&t.net.nic);
		net_poll(&t.net);
	}
	return nr;
}

static void receive_for(uint64_t ns)
{
	uint64_t end = rdtsc() + ns_to_tsc(ns);

	while (rdtsc() < end)
		if (!net_poll(&t.net))
			cpu_relax();
}

/* One direction's traffic: what its sender sent, and what arrived at the other end. */
struct traffic {
	uint64_t sent, packets, bytes;
};

static void report_direction(bool rx, const struct traffic *d, uint64_t kicks)
{
	uint64_t ns = MAX(window_ns(), 1), bps = mul_div(d->bytes * 8, 1000000000, ns);
	uint64_t handled = rx ? d->packets : d->sent; /* by the device: exits and kicks are per these */

	report_metric("throughput_bps", bps);
	report_metric(rx ? "throughput_rx_bps" : "throughput_tx_bps", bps);
	report_metric("packets", handled);
	report_metric("packets_per_s", mul_div(handled, 1000000000, ns));
	report_metric(rx ? "rx_packets" : "tx_packets", handled);
	report_metric("packet_bytes", t.size + NET_HEADERS);
	report_metric("guest_kicks", kicks);
	if (d->sent)
		report_milli("loss_pct", mul_div(sub_floor(d->sent, d->packets), 100000, d->sent));
	window_report(0);
}

static int measure_direction(const struct workload_job *job, bool rx)
{
	struct traffic d = {0};
	uint64_t kicks;

	if (start_peer(rx, job->duration_ns))
		return -1;
	kicks = t.net.nic.kicks;
	window_open();
	if (rx)
		receive_for(job->duration_ns);
	else
		d.sent = send_for(job->duration_ns);
	window_close();
	kicks = t.net.nic.kicks - kicks;
	if (stop_peer())
		return -1;
	if (t.bad || t.answer.bad)
		return report_fail("integrity: %lu damaged datagrams", t.bad + t.answer.bad);
	if (rx)
		d = (struct traffic){t.answer.sent, t.packets, t.bytes};
	else
		d = (struct traffic){d.sent, t.answer.received, t.answer.bytes};
	if (!d.packets)
		return report_fail("net: not one datagram arrived");
	report_direction(rx, &d, kicks);
	return 0;
}

int job_net_throughput(const struct workload_job *job)
{
	t.size = (unsigned)or_usual(job->msg_size, DGRAM_MAX);
	t.full = job->verify == JOB_VERIFY_FULL;
	t.session = rdtsc();
	t.port = job->port + DGRAM_PORT_OFFSET;
	if (job->direction == JOB_BOTH || job->tool != JOB_ENGINE || job->work)
		return report_fail(
			"net-throughput: the micro guest takes direction=tx or rx, a duration, our engine");
	if (t.size < DGRAM_MIN || t.size > DGRAM_MAX)
		return report_fail("net-throughput: msg_size must be %u to %u in the micro guest",
				   (unsigned)DGRAM_MIN, DGRAM_MAX);
	if (net_open(&t.net, job))
		return -1;
	t.net.receive = on_datagram;
	report_note("card %s, %s rings", t.net.nic.ops->name, t.net.nic.ring ? t.net.nic.ring : "its own");
	report("ready");
	return measure_direction(job, job->direction == JOB_RX);
}
