// SPDX-License-Identifier: MIT
/*
 * The traffic engine: the payload check on buffers and socket pairs, then agent and peer as two
 * processes over loopback and, as root, over a veth pair between two network namespaces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "bench/host/wire.h"
#include "workloads/agent/stream.h"
#include "workloads/agent/udp.h"
#include "workloads/lines.h"

/* ---- blocks ---- */

static void block_check(void **state)
{
	static unsigned char pattern[STREAM_BLOCK], block[STREAM_BLOCK];
	uint64_t sampled = 0;

	(void)state;
	stream_pattern(pattern, 9);
	memcpy(block, pattern, sizeof(block));
	stream_stamp(block, 5, 2, 9);
	assert_true(stream_block_ok(block, pattern, 5, 2, 9, JOB_VERIFY_FULL));
	assert_false(
		stream_block_ok(block, pattern, 6, 2, 9, JOB_VERIFY_SAMPLE)); /* lost or doubled */
	assert_false(
		stream_block_ok(block, pattern, 5, 3, 9, JOB_VERIFY_SAMPLE)); /* another stream's */
	assert_false(
		stream_block_ok(block, pattern, 5, 2, 8, JOB_VERIFY_SAMPLE)); /* another run's */
	for (size_t at = 0; at < STREAM_BLOCK; at += 97) {
		block[at] ^= 0x10;
		assert_false(stream_block_ok(block, pattern, 5, 2, 9, JOB_VERIFY_FULL));
		assert_true(stream_block_ok(block, pattern, 5, 2, 9, JOB_VERIFY_OFF));
		block[at] ^= 0x10;
	}
	block[40000] ^= 1;
	for (uint64_t n = 100; n < 1124; n++) {
		stream_stamp(block, n, 0, 1);
		sampled += !stream_block_ok(block, pattern, n, 0, 1, JOB_VERIFY_SAMPLE);
	}
	/* One in 16 of 1024, give or take. */
	assert_in_range(sampled, 32, 96);
}

struct stream_case {
	uint64_t limit, msg_size;
	int verify;
	bool corrupt, wrong_seed;
	uint64_t want_bad;
};

static void one_stream(const struct stream_case *c)
{
	bool stop = false;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	struct stream tx = {.fd = fds[0],
			    .sender = true,
			    .index = 1,
			    .seed = 3,
			    .msg_size = c->msg_size,
			    .limit = c->limit,
			    .corrupt = c->corrupt,
			    .stop = &stop};
	struct stream rx = {.fd = fds[1],
			    .index = 1,
			    .seed = c->wrong_seed ? 4 : 3,
			    .verify = c->verify,
			    .stop = &stop};

	assert_int_equal(stream_start(&rx), 0);
	assert_int_equal(stream_start(&tx), 0);
	stream_join(&tx);
	stream_join(&rx);
	assert_int_equal(tx.err, 0);
	assert_int_equal(rx.err, 0);
	assert_int_equal(tx.bytes, c->limit);
	assert_int_equal(rx.bytes, c->limit);
	assert_int_equal(rx.blocks_checked, c->limit / STREAM_BLOCK);
	assert_int_equal(rx.bad, c->want_bad);
	close(fds[0]);
	close(fds[1]);
}

static void streams(void **state)
{
	static const struct stream_case cases[] = {
		{1 << 20, 0, JOB_VERIFY_FULL, false, false, 0},
		{1 << 20, 1, JOB_VERIFY_FULL, false, false, 0},
		{(1 << 20) + 1, 1000, JOB_VERIFY_FULL, false, false,
		 0}, /* messages across block and buffer ends */
		{3 << 20, 65537, JOB_VERIFY_FULL, false, false, 0},
		{3 << 20, 1 << 20, JOB_VERIFY_FULL, false, false, 0},
		{10, 0, JOB_VERIFY_FULL, false, false, 0},
		{1 << 20, 0, JOB_VERIFY_FULL, true, false, 1}, /* one flipped byte, once */
		{1 << 20, 0, JOB_VERIFY_SAMPLE, true, false, 1},
		{1 << 20, 0, JOB_VERIFY_OFF, true, false, 0},
		{1 << 20, 0, JOB_VERIFY_SAMPLE, false, true, 16},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		one_stream(&cases[i]);
}

/* ---- datagrams ---- */

static void udp_pair(int fds[2])
{
	struct sockaddr_in sin[2] = {{.sin_family = AF_INET}, {.sin_family = AF_INET}};
	socklen_t len = sizeof(sin[0]);

	for (int i = 0; i < 2; i++) {
		fds[i] = socket(AF_INET, SOCK_DGRAM, 0);
		sin[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		assert_int_equal(bind(fds[i], (struct sockaddr *)&sin[i], sizeof(sin[i])), 0);
		getsockname(fds[i], (struct sockaddr *)&sin[i], &len);
	}
	for (int i = 0; i < 2; i++)
		assert_int_equal(connect(fds[i], (struct sockaddr *)&sin[!i], sizeof(sin[i])), 0);
}

/* Every datagram counted, whatever stands between the ends: lost, damaged, late and foreign ones.
 */
static void datagrams_are_counted(void **state)
{
	static struct udp_flow rx, tx;
	struct workload_job job;
	unsigned char held[2][64] = {0};
	int a[2], b[2]; /* tx -> a[0] a[1] -> us -> b[0] b[1] -> rx */
	int64_t sent;
	struct udp_counts got;
	unsigned passed = 0;

	(void)state;
	job_parse(&job, "workload=net-pps msg_size=40", NULL);
	udp_pair(a);
	udp_pair(b);
	tx = (struct udp_flow){.fd = a[0], .size = 40, .seed = 1, .trial = 7};
	assert_int_equal(udp_start(&rx, b[1], &job), 0);
	udp_begin_trial(&rx, 7);
	sent = udp_send(&tx, 2000, 20000000);
	assert_true(sent >= 20);
	for (int64_t i = 0; i < sent; i++) {
		unsigned char buf[64];

		assert_int_equal(recv(a[1], buf, sizeof(buf), 0), 40);
		if (i == 3)
			continue; /* lost */
		if (i == 5)
			buf[39] ^= 1; /* damaged */
		if (i == 8 || i == 9) {
			memcpy(held[i - 8], buf, 40); /* swapped */
			if (i == 9) {
				assert_int_equal(send(b[0], held[1], 40, 0), 40);
				assert_int_equal(send(b[0], held[0], 40, 0), 40);
				passed += 2;
			}
			continue;
		}
		passed += i != 5;
		assert_int_equal(send(b[0], buf, 40, 0), 40);
	}
	held[0][0] ^= 0xff; /* of another trial: not ours to count */
	assert_int_equal(send(b[0], held[0], 40, 0), 40);
	assert_int_equal(send(b[0], held[0], 3, 0), 3);
	got = udp_settle(&rx);
	assert_int_equal(got.received, passed);
	assert_int_equal(passed, sent - 2);
	assert_int_equal(got.bad, 1);
	assert_int_equal(got.reordered, 1);
	udp_stop(&rx);
	for (int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
}

/* ---- agent and peer ---- */

static uint16_t free_port(void)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	getsockname(fd, (struct sockaddr *)&sin, &len);
	close(fd);
	return ntohs(sin.sin_port);
}

struct place {
	int agent_ns, peer_ns; /* -1: where we are */
	const char *agent_keys, *peer_keys;
	uint16_t port;
};

static void make_job(struct agent *a, const struct place *p, const char *own, const char *keys)
{
	char line[512], bad[64];

	snprintf(line, sizeof(line), "port=%u %s %s", p->port, own, keys);
	memset(a, 0, sizeof(*a));
	if (job_parse(&a->job, line, bad))
		_exit(99);
}

static void child_setup(int ns, int out)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(60);
	if (ns >= 0 && setns(ns, CLONE_NEWNET))
		_exit(98);
	report_open(out);
}

static pid_t start_peer(const struct place *p)
{
	static struct agent a;
	int out[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(out), 0);
	pid = fork();
	if (!pid) {
		child_setup(p->peer_ns, out[1]);
		make_job(&a, p, p->peer_keys, "");
		_exit(peer_main(&a));
	}
	close(out[1]);
	assert_int_equal(read(out[0], &byte, 1), 1); /* "ready" */
	/* The read end stays open: the peer goes on writing its notes. */
	return pid;
}

static void run_agent(const struct place *p, const char *keys, struct strbuf *out)
{
	static struct agent a;
	char chunk[4096];
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (!pid) {
		child_setup(p->agent_ns, fds[1]);
		make_job(&a, p, p->agent_keys, keys);
		agent_run(&a);
		report_flush();
		_exit(0);
	}
	close(fds[1]);
	strbuf_reset(out);
	while ((n = read(fds[0], chunk, sizeof(chunk))) > 0)
		strbuf_add(out, chunk, (size_t)n);
	close(fds[0]);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

/* The metric's value; NAN-free: -1 when absent, and every line must follow the protocol. */
static double metric(const struct strbuf *out, const char *name)
{
	static struct agent_line line;
	double value = -1;

	for (const char *p = strbuf_str(out); *p; p += strcspn(p, "\n") + 1) {
		assert_int_equal(line_parse(p, &line), 0);
		if (line.kind == LINE_METRIC && !strcmp(line.name, name))
			value = line.value;
	}
	return value;
}

static const struct {
	const char *keys, *metric;
	double at_least;
} runs[] = {
	{"workload=net-throughput duration_ns=400000000 warmup_ns=20000000 verify=full",
	 "throughput_bps", 1},
	{"workload=net-throughput duration_ns=400000000 warmup_ns=0 direction=rx streams=3",
	 "throughput_bps", 1},
	{"workload=net-throughput duration_ns=100000000 warmup_ns=20000000 streams=2", "tcp_window_bytes", 10000},
	{"workload=net-throughput work=5000001 direction=both streams=2", "bytes", 10000002},
	{"workload=net-throughput work=3000000 msg_size=777", "checked_blocks", 45},
	{"workload=net-latency work=50 msg_size=300", "ops", 50},
	{"workload=net-latency rate=500 duration_ns=100000000 warmup_ns=0", "ops", 5},
	{"workload=net-pps rate=500 duration_ns=200000000 warmup_ns=0 direction=both",
	 "delivered_per_s", 1},
};

static void all_runs(const struct place *p)
{
	struct strbuf out = STRBUF_INIT;
	pid_t peer = start_peer(p);

	for (size_t i = 0; i < ARRAY_SIZE(runs); i++) {
		run_agent(p, runs[i].keys, &out);
		if (metric(&out, runs[i].metric) < runs[i].at_least || metric(&out, "window_ns") <= 0 ||
		    metric(&out, "packets") <= 0)
			fail_msg("%s\n%s", runs[i].keys, strbuf_str(&out));
	}
	kill(peer, SIGKILL);
	waitpid(peer, NULL, 0);
	strbuf_free(&out);
}

static struct place loopback(void)
{
	return (struct place){-1, -1, "ifname=lo peer=127.0.0.1", "addr=192.0.2.1/24", free_port()};
}

static void over_loopback(void **state)
{
	struct place p = loopback();

	(void)state;
	all_runs(&p);
	p.agent_keys = "ifname=lo peer=::1";
	p.port = free_port();
	if (file_exists("/proc/net/if_inet6"))
		all_runs(&p);
}

/* A sample with a damaged byte is void: a fail line and no numbers. Both directions. */
static void corruption_fails_the_sample(void **state)
{
	static const char *const keys[] = {
		"workload=net-throughput work=2000000 corrupt=on",
		"workload=net-throughput work=2000000 corrupt=on direction=rx",
		"workload=net-throughput duration_ns=400000000 warmup_ns=0 corrupt=on",
	};
	struct place p = loopback();
	struct strbuf out = STRBUF_INIT;
	pid_t peer = start_peer(&p);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		run_agent(&p, keys[i], &out);
		assert_non_null(strstr(strbuf_str(&out), "exitlab fail integrity: 1 damaged"));
		assert_true(metric(&out, "throughput_bps") < 0);
	}
	kill(peer, SIGKILL);
	waitpid(peer, NULL, 0);
	strbuf_free(&out);
}

/* The peer must outlive strangers, broken jobs and agents that go away. */
static void peer_survives(void **state)
{
	static const struct talk_hello stranger = {.magic = 0x12345678};
	struct place p = loopback();
	struct strbuf out = STRBUF_INIT;
	pid_t peer = start_peer(&p);
	struct workload_job job;
	struct talk_hello hello = {.magic = TALK_MAGIC, .kind = TALK_CONTROL};
	int fd;

	(void)state;
	job_parse(&job, p.agent_keys, NULL);
	job.port = p.port;
	for (int i = 0; i < 2; i++) {
		fd = talk_connect(&job, i ? &hello : &stranger, 1000000000);
		assert_true(fd >= 0);
		if (i)
			talk_say(fd, "workload=net-throughput speed=high");
		close(fd);
	}
	fd = talk_connect(&job, &hello, 1000000000);
	talk_say(fd, "workload=net-latency");
	close(fd); /* in the middle of it */
	/* It was waiting for a data connection, and must not take the next agent for it. */
	run_agent(&p, "workload=net-latency work=10", &out);
	assert_true(metric(&out, "ops") == 10);
	assert_int_equal(waitpid(peer, NULL, WNOHANG), 0);
	kill(peer, SIGKILL);
	waitpid(peer, NULL, 0);
	strbuf_free(&out);
}

/* One session of a guest that asks for this job and, where the peer takes it, for a trial. */
static void try_job(const struct workload_job *where, const char *text)
{
	const struct talk_hello hello = {.magic = TALK_MAGIC, .kind = TALK_CONTROL};
	int fd = talk_connect(where, &hello, 5000000000);
	char line[JOB_LINE_MAX];

	assert_true(fd >= 0);
	assert_int_equal(talk_say(fd, "%s", text), 0);
	if (talk_line(fd, line, sizeof(line)) < 0)
		fail_msg("%s: the peer hung up", text);
	if (!strstr(text, "net-pps") || strcmp(line, "ok") != 0) {
		close(fd);
		return;
	}
	talk_say(fd, "udp port=9");
	talk_say(fd, "trial id=1 rate=1000 ns=1000000");
	talk_say(fd, "end");
	if (talk_line(fd, line, sizeof(line)) < 0 || talk_line(fd, line, sizeof(line)) < 0)
		fail_msg("%s: the peer hung up in a trial", text);
	close(fd);
}

/* Class 21: the peer is the host's program, the job is the guest's word. Every size, every direction. */
static void peer_takes_every_job(void **state)
{
	static const char *const works[] = {"net-pps", "net-throughput", "net-latency", "net-rebind"};
	static const char *const ways[] = {"tx", "rx", "both"};
	static const char *const keys[] = {"msg_size", "streams", "rate", "work", "seed", "duration_ns"};
	static const char *const values[] = {"0", "1", "17", "18", "1473", "1048577", "18446744073709551615"};
	struct place p = loopback();
	pid_t peer = start_peer(&p);
	struct workload_job where;
	struct strbuf out = STRBUF_INIT;

	(void)state;
	job_parse(&where, p.agent_keys, NULL);
	where.port = p.port;
	for (size_t w = 0; w < ARRAY_SIZE(works); w++)
		for (size_t i = 0; i < ARRAY_SIZE(ways) * ARRAY_SIZE(keys) * ARRAY_SIZE(values); i++) {
			size_t key = i / ARRAY_SIZE(values) % ARRAY_SIZE(keys);
			char text[128];

			if (!w && key) /* trials take their time, and know of the size alone */
				continue;
			snprintf(text, sizeof(text), "workload=%s direction=%s %s=%s", works[w],
				 ways[i / (ARRAY_SIZE(keys) * ARRAY_SIZE(values))], keys[key],
				 values[i % ARRAY_SIZE(values)]);
			try_job(&where, text);
		}
	run_agent(&p, "workload=net-latency work=10", &out);
	assert_true(metric(&out, "ops") == 10);
	assert_int_equal(waitpid(peer, NULL, WNOHANG), 0);
	kill(peer, SIGKILL);
	waitpid(peer, NULL, 0);
	strbuf_free(&out);
}

static void over_veth(void **state)
{
	char agent_keys[128];
	struct wire w;
	struct place p;

	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(wire_veth(&w, false), 0);
	snprintf(agent_keys, sizeof(agent_keys), "peer=%s addr=%s", w.peer_addr, w.guest_addr);
	p = (struct place){w.agent_ns, w.peer_ns, agent_keys, agent_keys, 5301};
	all_runs(&p);
	wire_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(block_check),
		cmocka_unit_test(streams),
		cmocka_unit_test(datagrams_are_counted),
		cmocka_unit_test(over_loopback),
		cmocka_unit_test(corruption_fails_the_sample),
		cmocka_unit_test(peer_survives),
		cmocka_unit_test(peer_takes_every_job),
		cmocka_unit_test(over_veth),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
