/* SPDX-License-Identifier: MIT */
/* What `bench profile` prints around its table of exits. */
#ifndef BENCH_PROFILE_PROFILE_PRINT_H
#define BENCH_PROFILE_PROFILE_PRINT_H

#include <jansson.h>
#include "bench/profile/exit_view.h"
#include "bench/profile/vm_find.h"

/* Above the table: which VM (pid 0: all), how long, what this back end cannot tell. */
void profile_print_head(struct probes *p, const struct vm *vm, double seconds);
/* Below it: exits and halts per second, and where the vCPUs' time went. */
void profile_print_summary(struct probes *p, const struct view *v, double seconds);
/* A line for each VM, when several are watched together. */
void profile_print_vms(struct probes *p, const struct exits *exits, double seconds);
/*
 * The rest of probes_read's object: at most `rows` pairs (0: all), notifications, page tables, threads,
 * counters, own cost, losses.
 */
void profile_print_rest(const json_t *all, double seconds, size_t rows);

#endif
