/* SPDX-License-Identifier: MIT */
/*
 * Records of many directories, in order, parsed and validated by a thread of its own while the caller
 * writes.
 */
#ifndef RESULTS_READ_AHEAD_H
#define RESULTS_READ_AHEAD_H

#include "results/record.h"

struct read_ahead;

/* dirs (n of them, the caller's) live until the end. */
struct read_ahead *read_ahead_start(char *const *dirs, size_t n);
/*
 * The record of the next directory, the caller's to free; NULL when it is unreadable (logged) or was
 * the last.
 */
json_t *read_ahead_next(struct read_ahead *r);
void read_ahead_end(struct read_ahead *r);

#endif
