/* SPDX-License-Identifier: MIT */
/* What a number depends on besides the plan: the machine, its settings, the inputs by hash. */
#ifndef BENCH_HOST_ENVIRONMENT_H
#define BENCH_HOST_ENVIRONMENT_H

#include <jansson.h>
#include "bench/plan/plan.h"

/* .environment of the record. */
json_t *environment_json(void);
/* .inputs of a cell's record: every binary, kernel and image with its SHA-256. */
json_t *environment_inputs(const struct cell *cell, const char *kernel_dir);

/* Steal and scheduling jitter, taken before and after a sample. */
struct noise {
	uint64_t steal_ticks, total_ticks, jitter_ns;
};
void noise_read(struct noise *n);
/* {steal_pct, jitter_ns}; a sample that a noisy machine has spoilt gets a tag ("noisy: ...") too. */
json_t *noise_json(const struct noise *before, const struct noise *after, json_t *tags);

#endif
