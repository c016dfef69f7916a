// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/log.h"
#include "base/table.h"
#include "bench/host/outer.h"
#include "bench/sample/progress.h"

#define BAR_WIDTH 24
#define REDRAW_NS (100 * NSEC_PER_MSEC)

bool progress_terminal(void)
{
	struct outer told = outer_told();

	if (told.inner)
		return told.terminal;
	return isatty(STDERR_FILENO) && term_colour(STDERR_FILENO);
}

void progress_start(struct progress *p, size_t total)
{
	*p = (struct progress){.total = total, .start_ns = clock_ns(), .label = ""};
	p->terminal = progress_terminal();
	p->quiet = log_level() < LOG_INFO;
}

/* Finished boots tell how long the others take; what the current one has had already is taken off. */
static uint64_t time_left(const struct progress *p)
{
	uint64_t finished = p->done_ns - p->start_ns, since = clock_ns() - p->done_ns;
	if (!p->done)
		return 0;
	return sub_floor(finished / p->done * (p->total - p->done), since);
}

void progress_tick(struct progress *p, const char *stage)
{
	static const char full[] = "########################", empty[] = "                        ";
	uint64_t now = clock_ns();
	int n;

	if (!p->terminal || p->quiet || now - p->last_ns < REDRAW_NS)
		return;
	p->last_ns = now;
	n = (int)(BAR_WIDTH * p->done / MAX(p->total, 1));
	fprintf(stderr, "\r[%.*s%.*s] %zu/%zu  %s: %s", n, full, BAR_WIDTH - n, empty, p->done, p->total,
		p->label, stage);
	if (p->done)
		fprintf(stderr, "  %s left", fmt_ns((double)time_left(p)));
	fputs("\033[K", stderr);
}

void progress_done(struct progress *p, bool ok, const char *result)
{
	p->done++;
	p->done_ns = clock_ns();
	if (p->quiet)
		return;
	if (p->terminal)
		fputs("\r\033[K", stderr);
	print_plain(stderr, "[%zu/%zu] %s: %s%s", p->done, p->total, p->label,
		    text_if(!ok, "FAILED: "), result);
	if (p->done < p->total)
		fprintf(stderr, "  (%s left)", fmt_ns((double)time_left(p)));
	fputc('\n', stderr);
}

void progress_end(struct progress *p)
{
	if (p->terminal && !p->quiet)
		fputs("\r\033[K", stderr);
}
