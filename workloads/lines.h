/* SPDX-License-Identifier: MIT */
/* The agent's line protocol (protocol.h): what the runner reads from ttyS1, from the host agent's
 * and the peer's stdout. */
#ifndef WORKLOADS_LINES_H
#define WORKLOADS_LINES_H

#include "base/hist.h"
#include "base/strbuf.h"

enum line_kind {
	LINE_OTHER, /* not the agent's: console noise */
	LINE_HELLO,
	LINE_READY,
	LINE_METRIC,
	LINE_HIST,
	LINE_REGION,
	LINE_NOTE,
	LINE_FAIL,
	LINE_DONE,
};

struct agent_line {
	enum line_kind kind;
	char name[48];	/* metric, hist, region: name; hello: the guest's kernel version */
	double value;	/* metric: value; hello: protocol version */
	char text[256]; /* note, fail */
	uint64_t base, len; /* region */
	bool pio;
	struct hist hist;
};

/*
 * One line, with or without its line end. 0, or -EBADMSG for a line that begins with "exitlab " and
 * does not follow the protocol: then the sample is not to be trusted.
 */
int line_parse(const char *text, struct agent_line *out);

/* Append "exitlab hist NAME ..." with its newline. */
void line_add_hist(struct strbuf *sb, const char *name, const struct hist *h);
/* Append "exitlab metric NAME VALUE" with its newline; integers are written without a fraction. */
void line_add_metric(struct strbuf *sb, const char *name, double value);

#endif
