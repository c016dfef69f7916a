/* SPDX-License-Identifier: MIT */
/* One sample: one boot of one cell, with its window, from the wire to the metrics. */
#ifndef BENCH_SAMPLE_SAMPLE_H
#define BENCH_SAMPLE_SAMPLE_H

#include <jansson.h>
#include "bench/plan/plan.h"

struct progress;

struct sample_want {
	const struct cell *cell;
	const struct run_args *args;
	const char *kernel_dir;  /* the unpacked kernel of the guest */
	const char *log_dir;     /* sample-N of the run directory; exists */
	unsigned index, boot;
	bool real_wire;          /* --topology=wire */
	struct progress *progress;
};

/*
 * The sample as results/SCHEMA.md has it: ok, or ok=false with error and no metrics; never NULL. *stop is
 * set when someone pressed Ctrl-C: the sample then is not to be kept.
 */
json_t *sample_run(const struct sample_want *want, bool *stop);

/* Ask the running sample to end: async-signal-safe. */
void sample_interrupt(void);

#endif
