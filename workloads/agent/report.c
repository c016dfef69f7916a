// SPDX-License-Identifier: MIT
/* What the agent says: lines are collected and leave in one write, so that a window has no exit for them. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/file.h"
#include "workloads/agent/agent.h"
#include "workloads/lines.h"

static int report_fd = 1;
static struct strbuf lines = STRBUF_INIT;
static bool failed;

void report_open(int fd)
{
	report_fd = fd;
}

void report_line(const char *line)
{
	strbuf_addf(&lines, "exitlab %s\n", line);
}

void report_metric(const char *name, double value)
{
	line_add_metric(&lines, name, value);
}

void report_hist(const char *name, const struct hist *h)
{
	line_add_hist(&lines, name, h);
}

void report_latency(const struct hist *h)
{
	static const struct {
		const char *name;
		double q;
	} quantile[] = {{"latency_ns", 0.5},
			{"latency_p90_ns", 0.9},
			{"latency_p99_ns", 0.99},
			{"latency_p999_ns", 0.999}};

	for (size_t i = 0; i < ARRAY_SIZE(quantile); i++)
		report_metric(quantile[i].name, (double)hist_quantile(h, quantile[i].q));
	report_metric("latency_max_ns", (double)h->max);
	report_hist("latency_ns", h);
}

static void add_text(const char *kind, const char *fmt, va_list ap)
{
	char text[224];

	vsnprintf(text, sizeof(text), fmt, ap);
	for (char *p = text; (p = strchr(p, '\n'));)
		*p = ' ';
	strbuf_addf(&lines, "exitlab %s %s\n", kind, text);
}

void report_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_text("note", fmt, ap);
	va_end(ap);
}

void agent_say_fail(const char *fmt, ...)
{
	va_list ap;

	if (!failed) {
		va_start(ap, fmt);
		add_text("fail", fmt, ap);
		va_end(ap);
	}
	failed = true;
}

bool agent_failed(void)
{
	return failed;
}

void report_flush(void)
{
	fd_write_all(report_fd, strbuf_str(&lines), lines.len);
	tcdrain(report_fd);
	strbuf_reset(&lines);
}

int report_await(void)
{
	char c = 0;

	while (c != '\n')
		if (read(report_fd, &c, 1) != 1)
			return -EPIPE;
	return 0;
}
