/* SPDX-License-Identifier: MIT */
/*
 * Who was the bottleneck: the thread that was busy for most of the window, if one was busy nearly all of
 * it.
 */
#ifndef BENCH_SAMPLE_BOTTLENECK_H
#define BENCH_SAMPLE_BOTTLENECK_H

#include <jansson.h>
#include "base/strbuf.h"

/* A thread that is on a CPU for this much of the window is taken to have no time left. */
#define BOTTLENECK_BUSY_PCT 90.0

/*
 * Of the probes' threads in a window of ns on a machine of so many CPUs: {"role", "name", "busy_pct",
 * "saturated": bool}, or NULL when nothing is known of them. The peer counts too: then it is not the
 * guest's path that was measured. Role "all CPUs": together they left the machine nothing, whoever was
 * busiest.
 */
json_t *bottleneck_of(const json_t *threads, double ns, unsigned cpus);
/* "vcpu 98 %" or "none (busiest: io 61 %)" over the samples of a record: the median one. Nothing: false. */
bool bottleneck_text(const json_t *samples, struct strbuf *out);

#endif
