/* SPDX-License-Identifier: MIT */
/* Histograms in JSON, the form that records, probes and figures share (results/SCHEMA.md: `hist`). */
#ifndef BASE_HIST_JSON_H
#define BASE_HIST_JSON_H

#include <jansson.h>
#include "base/hist.h"

/*
 * {count, sum, min, max, p50, p90, p99, p999, slots: [[slot, n], ...]}; slots without an entry are left
 * out.
 */
json_t *hist_to_json(const struct hist *h);
/* 0, or -EINVAL when a member is missing, a slot is out of range or the slots do not add up to count. */
int hist_from_json(const json_t *j, struct hist *h);

#endif
