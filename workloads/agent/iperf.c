// SPDX-License-Identifier: MIT
/* tool=iperf3: Debian's iperf3 in the same two places, as an independent check of our engine. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "workloads/agent/peer.h"
#include "workloads/agent/peer_tools.h"
#include "workloads/agent/throughput.h"
#include "workloads/agent/tool.h"

#define OMIT_S 1 /* iperf3 leaves out its first second; our window opens after it */

/* ---- peer ---- */

int peer_iperf(struct session *s)
{
	char line[64];
	int err = tools_serve(s->tools, (uint16_t)(s->job.port + 1));

	if (err)
		talk_say(s->control, "err iperf3 does not start here; install Debian's iperf3");
	else
		err = talk_say(s->control, "ok");
	while (!err && talk_line(s->control, line, sizeof(line)) >= 0)
		; /* until the agent closes */
	tools_end(s->tools);
	return err;
}

/* ---- agent ---- */

/* "bits_per_second" of the first object of that name; negative when absent. */
static double object_rate(const char *json, const char *object)
{
	static const char key[] = "\"bits_per_second\":";
	const char *p = strstr(json, object), *rate;

	if (!p)
		return -1;
	rate = strstr(p, key);
	if (!rate || rate >= strchrnul(p, '}'))
		return -1;
	return strtod(rate + strlen(key), NULL);
}

static int parse_result(struct agent *a, const char *json, double *bps)
{
	const char *error = strstr(json, "\"error\":");
	double reverse = 0;

	if (error)
		return agent_fail(-EIO, "iperf3: %.*s", (int)strcspn(error + 8, "\n"), error + 8);
	*bps = object_rate(json, "\"sum_received\":");
	if (a->job.direction == JOB_BOTH)
		reverse = object_rate(json, "\"sum_received_bidir_reverse\":");
	if (*bps < 0 || reverse < 0)
		return agent_fail(-EIO, "iperf3: its output has no sum_received");
	*bps += reverse;
	return 0;
}

struct command_line {
	char port[24], seconds[24], streams[8], length[24], omit[8];
	char *argv[20];
};

static void build_args(struct agent *a, struct command_line *c)
{
	const struct workload_job *job = &a->job;
	char *fixed[] = {(char *)"iperf3", (char *)"-J", (char *)"-c", (char *)a->job.peer,
			 (char *)"-p",	   c->port,	 (char *)"-t", c->seconds,
			 (char *)"-P",	   c->streams,	 (char *)"-l", c->length,
			 (char *)"-O",	   c->omit};
	size_t n = ARRAY_SIZE(fixed);

	snprintf(c->port, sizeof(c->port), "%" PRIu64, job->port + 1);
	snprintf(c->seconds, sizeof(c->seconds), "%" PRIu64,
		 (uint64_t)((job->duration_ns + NSEC_PER_SEC - 1) / NSEC_PER_SEC));
	snprintf(c->streams, sizeof(c->streams), "%u", (unsigned)job->streams % 1000);
	snprintf(c->length, sizeof(c->length), "%" PRIu64, or_usual(job->msg_size, 128 << 10));
	snprintf(c->omit, sizeof(c->omit), "%d", OMIT_S);
	memcpy(c->argv, fixed, sizeof(fixed));
	if (job->direction != JOB_TX)
		c->argv[n++] = (char *)(job->direction == JOB_RX ? "-R" : "--bidir");
	c->argv[n] = NULL;
}

/* TCP's segments in and out so far: "Tcp:" with the names, then with the numbers, the tenth and eleventh. */
static void read_segments(uint64_t seg[2])
{
	struct strbuf sb = STRBUF_INIT;
	const char *p = NULL;

	seg[0] = seg[1] = 0;
	if (!file_read("/proc/net/snmp", &sb))
		p = strstr(strbuf_str(&sb), "\nTcp:");
	if (p)
		p = strstr(p + 1, "\nTcp:");
	if (p)
		sscanf(p, "\nTcp: %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64 " %" SCNu64, &seg[0],
		       &seg[1]);
	strbuf_free(&sb);
}

/*
 * In stream.h's unit, so that what is per packet compares with the engine's. What GRO joined counts as
 * one in TCP's statistics: of what is received only the bytes tell. Both ways at once: not known.
 */
static void report_packets(const struct agent *a, const uint64_t was[2], const uint64_t now[2], double bytes)
{
	const bool v6 = strchr(a->job.peer, ':');
	double in = (double)(now[0] - was[0]);

	if (a->job.direction == JOB_RX) /* an IPv6 header is 20 bytes longer */
		in = bytes / (double)(or_usual(a->job.mtu, 1500) - 52 - 20 * v6);
	if (a->job.direction != JOB_BOTH && now[1] > was[1])
		report_metric("wire_packets", (double)(now[1] - was[1]) + in);
}

int iperf_run(struct agent *a)
{
	struct command_line c;
	struct strbuf json = STRBUF_INIT;
	struct window w = {0};
	uint64_t before[2], after[2];
	double bps = 0;
	int pipefd[2], err;
	pid_t pid;

	if (a->job.work)
		return agent_fail(-EINVAL, "iperf3 runs for a duration, not for fixed work");
	if (pipe2(pipefd, O_CLOEXEC))
		return agent_fail(-errno, "pipe: %s", strerror(errno));
	agent_ready(a);
	build_args(a, &c);
	pid = tool_start(c.argv, pipefd[1]);
	w.worker = pid;
	close(pipefd[1]);
	clock_sleep_ns(OMIT_S * NSEC_PER_SEC);
	read_segments(before);
	window_open(a, &w);
	clock_sleep_ns(a->job.duration_ns);
	window_close(a, &w);
	read_segments(after);
	err = tool_collect(pipefd[0], pid, c.argv[0], &json);
	close(pipefd[0]);
	if (!err)
		err = parse_result(a, strbuf_str(&json), &bps);
	if (!err) {
		report_metric("throughput_bps", bps);
		report_packets(a, before, after, bps / 8 * (double)window_ns(&w) / 1e9);
		window_report(a, &w, 0);
	}
	strbuf_free(&json);
	return err;
}
