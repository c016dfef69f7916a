// SPDX-License-Identifier: MIT
/* The window: the marker at both ends, and what the guest itself counted in between. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "workloads/agent/agent.h"

struct cpu_now {
	uint64_t busy, total, intr, ctxt;
};

static uint64_t number_after(const char *text, const char *key)
{
	const char *p = strstr(text, key);

	return p ? strtoull(p + strlen(key), NULL, 10) : 0;
}

/* /proc/stat: user nice system idle iowait irq softirq steal ..., then "intr TOTAL" and "ctxt TOTAL". */
static void cpu_read(struct cpu_now *out)
{
	struct strbuf sb = STRBUF_INIT;
	uint64_t v, idle = 0;
	const char *p;
	char *end;

	memset(out, 0, sizeof(*out));
	if (!file_read("/proc/stat", &sb) && sb.len > 4) {
		p = sb.buf + 4;
		for (int i = 0; i < 8; i++, p = end) {
			v = strtoull(p, &end, 10);
			out->total += v;
			if (i == 3 || i == 4)
				idle += v;
		}
		out->busy = out->total - idle;
		out->intr = number_after(sb.buf, "\nintr ");
		out->ctxt = number_after(sb.buf, "\nctxt ");
	}
	strbuf_free(&sb);
}

static uint64_t process_cpu_ns(pid_t pid)
{
	struct timespec ts = {0, 0};
	clockid_t clock;

	if (!clock_getcpuclockid(pid, &clock))
		clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* Everything slow is read before the marker opens the window and after it has closed it. */
void window_open(const struct agent *a, struct window *w)
{
	struct cpu_now cpu;

	cpu_read(&cpu);
	w->busy_open = cpu.busy;
	w->total_open = cpu.total;
	w->intr_open = cpu.intr;
	w->ctxt_open = cpu.ctxt;
	net_read(a->ifname, &w->net_open);
	w->cpu_open_ns = process_cpu_ns(w->worker);
	if (a->vm && marker_write(MARKER_OPEN))
		agent_fail(-EIO, "the marker port cannot be written");
	w->open_ns = clock_ns();
}

void window_close(const struct agent *a, struct window *w)
{
	struct cpu_now cpu;

	w->close_ns = clock_ns();
	if (a->vm)
		marker_write(MARKER_CLOSE);
	w->cpu_close_ns = process_cpu_ns(w->worker);
	net_read(a->ifname, &w->net_close);
	cpu_read(&cpu);
	w->busy_close = cpu.busy;
	w->total_close = cpu.total;
	w->intr_close = cpu.intr;
	w->ctxt_close = cpu.ctxt;
}

static void report_net(const struct window *w)
{
	uint64_t rx = w->net_close.rx_packets - w->net_open.rx_packets;
	uint64_t tx = w->net_close.tx_packets - w->net_open.tx_packets;
	uint64_t bytes =
		w->net_close.rx_bytes - w->net_open.rx_bytes + w->net_close.tx_bytes - w->net_open.tx_bytes;

	report_metric("rx_packets", (double)rx);
	report_metric("tx_packets", (double)tx);
	report_metric("packets", (double)(rx + tx));
	report_metric("packets_per_s", (double)(rx + tx) * 1e9 / (double)window_ns(w));
	if (rx + tx)
		report_metric("packet_bytes", (double)bytes / (double)(rx + tx));
}

void window_report(const struct agent *a, const struct window *w, uint64_t ops)
{
	uint64_t total = w->total_close - w->total_open;

	report_metric("window_ns", (double)window_ns(w));
	if (ops) {
		report_metric("ops", (double)ops);
		report_metric("ops_per_s", (double)ops * 1e9 / (double)window_ns(w));
		report_metric("op_ns", (double)window_ns(w) / (double)ops);
	}
	if (a->vm) {
		if (total)
			report_metric("cpu_guest_seen_pct", 100.0 * (double)sysconf(_SC_NPROCESSORS_ONLN) *
								    (double)(w->busy_close - w->busy_open) /
								    (double)total);
		report_metric("guest_interrupts", (double)(w->intr_close - w->intr_open));
		report_metric("guest_switches", (double)(w->ctxt_close - w->ctxt_open));
	}
	/* Without a VM this process is all that a VMM's threads are otherwise. */
	if (!a->vm)
		report_metric("cpu_pct",
			      100.0 * (double)(w->cpu_close_ns - w->cpu_open_ns) / (double)window_ns(w));
	/* A driver that came back counts from 0 again. */
	if (a->ifname[0] && w->net_close.rx_packets >= w->net_open.rx_packets &&
	    w->net_close.tx_packets >= w->net_open.tx_packets)
		report_net(w);
}
