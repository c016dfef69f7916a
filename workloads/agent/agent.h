/* SPDX-License-Identifier: MIT */
/*
 * The agent: one static program with three roles.
 *
 *      as PID 1                  init of the Linux guest: mounts, modules, network, job, power-off
 *      agent run KEY=VALUE...    the same job outside a VM (mode host: in a network namespace, no
 * marker port) agent peer KEY=VALUE...   the other side of the network workloads; serves one
 * session after another
 *
 * Functions return 0 or -errno. The place that knows most calls agent_fail once; the sample is void
 * then.
 */
#ifndef WORKLOADS_AGENT_AGENT_H
#define WORKLOADS_AGENT_AGENT_H

#include <errno.h>
#include <sys/types.h>
#include "base/hist.h"
#include "workloads/job.h"
#include "workloads/protocol.h"

struct agent {
	struct workload_job job;
	bool vm;	 /* we are a guest: write the marker port */
	char ifname[16]; /* "" without a network */
};

struct agent_workload {
	const char *name;
	bool net; /* wants the interface up and the peer */
	int (*run)(struct agent *a);
};

const struct agent_workload *agent_workload_find(const char *name);
/* Hello has been said; runs the job's workload and says ready, the results, and done or fail. */
int agent_run(struct agent *a);

#define X(symbol, name, net, job) int run_##job(struct agent *a);
#include "workloads/rows.h"
X(skeleton, , , skeleton)
#undef X
/* The median round trip of one byte when nothing else is on the path, reported as latency_ns. */
int latency_when_quiet(const struct agent *a);

/* Set-up is over: says so; with job.start_together waits until the runner lets all guests go at once. */
void agent_ready(const struct agent *a);

int init_main(void);
int peer_main(struct agent *a);

/* ---- report.c: lines are collected and written at once, so that no window holds a serial port's
 * exits ---- */
void report_open(int fd);
void report_metric(const char *name, double value);
void report_hist(const char *name, const struct hist *h);
/* Quantiles of a latency, its maximum, and the histogram. */
void report_latency(const struct hist *h);
void report_note(const char *fmt, ...) PRINTF(1, 2);
void report_line(const char *line);
void report_flush(void);
/* Wait for a line of the runner. 0, or -EPIPE when there is nobody. */
int report_await(void);
/* Says why the sample is void (the first call wins) and returns err. */
#define agent_fail(err, ...)                                                                       \
	({                                                                                         \
		int err_ = (err);                                                                  \
		agent_say_fail(__VA_ARGS__);                                                       \
		err_ ? err_ : -EIO;                                                                \
	})
void agent_say_fail(const char *fmt, ...) PRINTF(1, 2);
bool agent_failed(void);

/* ---- regions.c ---- */
/* Where the virtio devices have their registers. */
void report_regions(void);

/* ---- marker.c ---- */
/* Through /dev/port; keeps it open. */
int marker_write(enum marker_op op);

/* ---- netdev.c ---- */
struct net_counters {
	uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes;
};
/* Finds the interface, sets address and MTU, brings it and lo up, waits for the link. Fails the sample. */
int net_setup(struct agent *a);
/* Take the driver off the device and put it back; the interface is set up again. Fails the sample.
 */
int netdev_rebind(struct agent *a);
/* Take device from the driver in this directory of sysfs, or (give) put it back. 0 or -errno. */
int driver_switch(const char *driver, const char *device, bool give);
void net_read(const char *ifname, struct net_counters *out);

/* ---- window.c ---- */
struct window {
	uint64_t open_ns, close_ns;
	struct net_counters net_open, net_close;
	uint64_t busy_open, busy_close, total_open, total_close; /* ticks of all CPUs */
	pid_t worker; /* who does the work, until after window_close; 0: this process */
	uint64_t cpu_open_ns, cpu_close_ns; /* of the worker */
	uint64_t intr_open, intr_close, ctxt_open, ctxt_close;
};
void window_open(const struct agent *a, struct window *w);
void window_close(const struct agent *a, struct window *w);
/* ops (operations of the workload, 0: it has none) and their rate, window_ns, cpu_guest_seen_pct,
 * guest_interrupts and, with a network, packets and bytes of the device. */
void window_report(const struct agent *a, const struct window *w, uint64_t ops);
static inline uint64_t window_ns(const struct window *w)
{
	return w->close_ns - w->open_ns;
}

#endif
