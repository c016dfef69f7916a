/* SPDX-License-Identifier: MIT */
/*
 * What the probes cost themselves: the kernel's run-time statistics of our BPF programs.
 *
 * Keeping those on costs two clock reads per program, which is as much as the programs do. So a thread
 * switches them on for SAMPLE of every PERIOD while the window is open, and the share found then holds for
 * the whole window.
 */
#ifndef PROBES_COST_H
#define PROBES_COST_H

#include "probes/probes.h"

int cost_start(struct probes *p);
void cost_stop(struct probes *p);
/* Nanoseconds of the window spent in our programs; false when the window was too short for a sample. */
bool cost_ns(struct probes *p, uint64_t window_ns, uint64_t *out);

#endif
