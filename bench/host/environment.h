/* SPDX-License-Identifier: MIT */
/* What a number depends on besides the plan: the machine and its settings. */
#ifndef BENCH_HOST_ENVIRONMENT_H
#define BENCH_HOST_ENVIRONMENT_H

#include <jansson.h>
#include <stdint.h>

/*
 * What this machine is called among those of a store: $EXITLAB_MACHINE, else the host's name; "" when it has
 * none. Caller frees.
 */
char *environment_machine(void);
/* .environment of the record. */
json_t *environment_json(void);

/* Steal and scheduling jitter, taken before and after a sample. */
struct noise {
	uint64_t steal_ticks, total_ticks, jitter_ns;
};
void noise_read(struct noise *n);
/* {steal_pct, jitter_ns}; a sample that a noisy machine has spoilt gets a tag ("noisy: ...") too. */
json_t *noise_json(const struct noise *before, const struct noise *after, json_t *tags);

#endif
