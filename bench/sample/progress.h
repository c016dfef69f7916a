/* SPDX-License-Identifier: MIT */
/* Progress on stderr: a bar with the time left on a terminal, one plain line per finished boot otherwise. */
#ifndef BENCH_SAMPLE_PROGRESS_H
#define BENCH_SAMPLE_PROGRESS_H

#include "base/util.h"

struct progress {
	const char *label; /* of the boot that runs */
	size_t done, total;
	uint64_t start_ns, done_ns, last_ns; /* of the plan, of its last finished boot, of the last drawing */
	bool terminal, quiet;
};

/* Whether stderr is a terminal in the end: within the lab it is the one of the bench outside. */
bool progress_terminal(void);
void progress_start(struct progress *p, size_t total);
/* Called often; draws at most ten times a second. stage: "boot", "window", ... */
void progress_tick(struct progress *p, const char *stage);
void progress_done(struct progress *p, bool ok, const char *result);
void progress_end(struct progress *p);

#endif
